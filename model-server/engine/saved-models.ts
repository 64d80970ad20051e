/** SavedModels, run as TensorFlow sessions on libuv's thread pool: the event loop goes on meanwhile. */
import type { NamedTensors, Signature, Tensor, TensorArrays } from '../protocol/tensor.ts';
import { EngineError } from './engine.ts';
import { signaturesOf } from './meta-graph.ts';
import type { ModelRunner, RunnableModel } from './runner.ts';
import type { CallableHandle, SessionAddon, SessionHandle, SessionOutput } from './session-addon.ts';

/** The tag of graphs that are meant for serving. */
const tags = ['serve'];

/** tensorflow.ConfigProto {gpu_options {allow_growth: true}}: a GPU's memory is taken as it is needed, not whole. */
const sessionConfig = Uint8Array.of(0x32, 0x02, 0x20, 0x01);

interface Entry {
  readonly signature: Signature;
  readonly callable: CallableHandle;
}

interface Loaded {
  readonly session: SessionHandle;
  readonly entries: ReadonlyMap<string, Entry>;
}

export class SavedModels implements ModelRunner {
  readonly #addon: SessionAddon;
  readonly #models = new Map<string, Loaded>();

  constructor(addon: SessionAddon) {
    this.#addon = addon;
  }

  async load(id: string, directory: string): Promise<RunnableModel> {
    const { session, metaGraph } = await this.#addon
      .load(directory, tags, sessionConfig)
      .catch((error: Error) => {
        throw new EngineError('InvalidArgument', `TensorFlow cannot load the SavedModel: ${error.message}`);
      });
    try {
      const entries = this.#entriesOf(session, new Uint8Array(metaGraph));
      this.#models.set(id, { session, entries });
      return { signatures: [...entries.values()].map(({ signature }) => signature) };
    } catch (error) {
      await this.#addon.close(session);
      throw error;
    }
  }

  #entriesOf(session: SessionHandle, metaGraph: Uint8Array): ReadonlyMap<string, Entry> {
    const entries = new Map<string, Entry>();
    const unusable: string[] = [];
    for (const read of signaturesOf(metaGraph)) {
      if (read.kind === 'unusable') {
        unusable.push(`"${read.name}": ${read.because}`);
        continue;
      }
      const { signature } = read;
      const names = (specs: Signature['inputs']) => specs.map(({ tensorName }) => tensorName);
      const callable = this.#addon.prepare(session, names(signature.inputs), names(signature.outputs));
      entries.set(signature.name, { signature, callable });
    }
    if (entries.size === 0) {
      const why = unusable.length > 0 ? `; ${unusable.join('; ')}` : ' (it was saved without one)';
      throw new EngineError('InvalidArgument', `the SavedModel has no signature that can be served${why}`);
    }
    return entries;
  }

  async run(id: string, signatureName: string, inputs: NamedTensors): Promise<NamedTensors> {
    const { signature, callable } = this.#models.get(id)!.entries.get(signatureName)!;
    const ordered = signature.inputs.map(({ name }) => inputs.get(name)!);
    const outputs = await this.#addon
      .run(
        callable,
        ordered.map(({ shape }) => shape),
        ordered.map(({ data }) => data),
      )
      .catch((error: Error) => {
        throw new EngineError('Internal', `TensorFlow refused the run: ${error.message}`);
      });
    return new Map(
      signature.outputs.map((spec, index) => [spec.name, tensorOf(spec.datatype, outputs[index]!)]),
    );
  }

  async unload(id: string): Promise<void> {
    const { session } = this.#models.get(id)!;
    this.#models.delete(id);
    await this.#addon.close(session);
  }

  tensorCount(): number {
    return 0;
  }

  async close(): Promise<void> {
    for (const id of [...this.#models.keys()]) await this.unload(id);
  }
}

const arrayOf: { [D in keyof TensorArrays]: (data: ArrayBuffer) => TensorArrays[D] } = {
  BOOL: (data) => new Uint8Array(data),
  UINT8: (data) => new Uint8Array(data),
  UINT16: (data) => new Uint16Array(data),
  UINT32: (data) => new Uint32Array(data),
  UINT64: (data) => new BigUint64Array(data),
  INT8: (data) => new Int8Array(data),
  INT16: (data) => new Int16Array(data),
  INT32: (data) => new Int32Array(data),
  INT64: (data) => new BigInt64Array(data),
  FP16: (data) => new Uint16Array(data),
  BF16: (data) => new Uint16Array(data),
  FP32: (data) => new Float32Array(data),
  FP64: (data) => new Float64Array(data),
  BYTES: () => [],
};

function tensorOf(datatype: Tensor['datatype'], { shape, data }: SessionOutput): Tensor {
  return { datatype, shape, data: Array.isArray(data) ? data : arrayOf[datatype](data) } as Tensor;
}
