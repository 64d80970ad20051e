/** A model that runs as a TensorFlow session, wherever its graph came from. */
import { freeMemory } from '../free-memory.ts';
import { arrayTypes } from '../protocol/cast.ts';
import {
  type Datatype,
  elementCount,
  type NamedTensors,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '../protocol/tensor.ts';
import { type Handle, type NativeOutput, type Port, reasonOf, type SessionAddon } from './addon.ts';
import { EngineError } from './engine.ts';
import type { RunningModel } from './model.ts';
import { RunPlaces } from './run-place.ts';

interface Prepared {
  readonly callable: Handle<'callable'>;
  readonly places: RunPlaces;
}

/** What a signature's entry is, given what the graph says of it. Throws EngineError when the two contradict. */
export type Refine = (spec: TensorSpec, port: Port) => TensorSpec;

export class SessionModel implements RunningModel {
  readonly tensorCount = 0;
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly #native: SessionAddon;
  readonly #session: Handle<'session'>;
  readonly #prepared = new Map<string, Prepared>();

  /**
   * Throws what the add-on or `refine` throw; the session is then still the caller's to close.
   * @param same for signatures that compute what one before them does, the name of that one.
   */
  constructor(
    native: SessionAddon,
    session: Handle<'session'>,
    signatures: readonly Signature[],
    refine: Refine,
    same: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#native = native;
    this.#session = session;
    const known = new Map<string, Signature>();
    for (const signature of signatures) {
      const names = (specs: readonly TensorSpec[]) => specs.map(({ tensorName }) => tensorName);
      const prepared = this.#prepared.get(same.get(signature.name) ?? '') ?? {
        callable: native.prepare(session, names(signature.inputs), names(signature.outputs)),
        places: new RunPlaces(),
      };
      const ports = native.describe(prepared.callable);
      this.#prepared.set(signature.name, prepared);
      known.set(signature.name, {
        ...signature,
        inputs: signature.inputs.map((spec, i) => refine(spec, ports.inputs[i] as Port)),
        outputs: signature.outputs.map((spec, i) => refine(spec, ports.outputs[i] as Port)),
      });
    }
    this.signatures = known;
  }

  async run({ name, outputs }: Signature, inputs: NamedTensors): Promise<NamedTensors> {
    const { callable, places } = this.#prepared.get(name) as Prepared;
    const shapes: (readonly number[])[] = [];
    const data: Tensor['data'][] = [];
    let bytes = 0;
    for (const tensor of inputs.values()) {
      shapes.push(tensor.shape);
      data.push(tensor.data);
      // Texts are counted as what a small one weighs.
      bytes += tensor.datatype === 'BYTES' ? tensor.data.length * 64 : tensor.data.byteLength;
    }
    try {
      const { milliseconds, outputs: results } =
        places.choose(bytes) === 'Here'
          ? this.#native.runNow(callable, shapes, data)
          : await this.#native.run(callable, shapes, data);
      places.took(bytes, milliseconds);
      const named = new Map<string, Tensor>();
      for (const [i, spec] of outputs.entries())
        named.set(spec.name, toTensor(spec, results[i] as NativeOutput));
      return named;
    } catch (error) {
      throw runError(error);
    } finally {
      // They were given away with the call, and TensorFlow has its own copy.
      for (const each of data) if (ArrayBuffer.isView(each)) freeMemory(each);
    }
  }

  close(): Promise<void> {
    this.#prepared.clear();
    return this.#native.close(this.#session);
  }
}

/** Every typed array's constructor over a part of a buffer. */
type ViewType = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;

function toTensor({ datatype }: TensorSpec, { shape, data }: NativeOutput): Tensor {
  if (Array.isArray(data)) return { datatype: 'BYTES', shape, data };
  const ArrayType = arrayTypes[datatype as Exclude<Datatype, 'BYTES'>] as unknown as ViewType;
  return { datatype, shape, data: new ArrayType(data, 0, elementCount(shape)) } as unknown as Tensor;
}

/** TensorFlow blames the input with these two codes: an index out of range, sizes that do not go together. */
const inputFaults = ['INVALID_ARGUMENT', 'OUT_OF_RANGE'];

function runError(error: unknown): EngineError {
  const code = (error as { code?: string }).code ?? '';
  const kind = inputFaults.includes(code) ? 'InvalidArgument' : 'Internal';
  return new EngineError(kind, `TensorFlow refused the run (${code}): ${reasonOf(error)}`);
}
