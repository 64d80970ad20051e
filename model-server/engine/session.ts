/**
 * SavedModels, run by the add-on `aicity_session` as TensorFlow sessions on libuv's thread pool. Unlike
 * TensorFlow.js' own SavedModel support it knows every datatype, and does not occupy JavaScript's thread.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { arrayTypes } from '../protocol/cast.ts';
import {
  type Datatype,
  elementCount,
  type NamedTensors,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '../protocol/tensor.ts';
import { datatypeOfNumber } from '../protocol/tensorflow-types.ts';
import { savedModelFile } from './detect.ts';
import { EngineError } from './engine.ts';
import type { RunningModel } from './model.ts';
import { hasVariables, servingGraph, variablesFile } from './saved-model.ts';

interface Handle<Kind extends string> {
  readonly kind: Kind;
}
interface Port {
  readonly dataType: number;
  readonly shape: number[] | null;
}
/** Functions of `native/session.cc`. */
interface SessionAddon {
  readonly version: string;
  load(directory: string, tags: readonly string[], config: Uint8Array): Promise<Handle<'session'>>;
  prepare(
    session: Handle<'session'>,
    inputs: readonly string[],
    outputs: readonly string[],
  ): Handle<'callable'>;
  describe(callable: Handle<'callable'>): { inputs: Port[]; outputs: Port[] };
  run(
    callable: Handle<'callable'>,
    shapes: readonly (readonly number[])[],
    data: readonly Tensor['data'][],
  ): Promise<{ shape: number[]; data: ArrayBuffer | Uint8Array[] }[]>;
  close(session: Handle<'session'>): Promise<void>;
}

let addon: SessionAddon | undefined;

/**
 * Loads the library on first use, which takes a third of a second.
 * @throws EngineError Unavailable when it is not there.
 */
function sessionAddon(): SessionAddon {
  if (addon) return addon;
  const load = createRequire(import.meta.url);
  try {
    const folder = dirname(load.resolve('@tensorflow/tfjs-node/package.json'));
    addon = load(join(folder, 'lib', 'napi-v8', 'aicity_session.node')) as SessionAddon;
    return addon;
  } catch (error) {
    const { message } = error as Error;
    throw new EngineError(
      'Unavailable',
      `native TensorFlow cannot be loaded: ${message}; in a checkout, run \`node model-server/native/build.ts\``,
    );
  }
}

/** @throws EngineError InvalidArgument when the directory holds no SavedModel that TensorFlow accepts. */
export async function loadSavedModel(directory: string): Promise<RunningModel> {
  const path = join(directory, savedModelFile);
  const file = await readFile(path).catch((error: Error) => {
    throw new EngineError('InvalidArgument', `${savedModelFile} cannot be read: ${error.message}`);
  });
  const graph = servingGraph(file);
  if (!existsSync(join(directory, variablesFile)) && hasVariables(graph)) {
    throw new EngineError('InvalidArgument', `${variablesFile} is missing, and the model has variables`);
  }
  const native = sessionAddon();
  const config = sessionConfig(availableParallelism());
  const session = await native.load(directory, graph.tags, config).catch(refuse);
  try {
    return new SessionModel(native, session, graph.signatures);
  } catch (error) {
    await native.close(session);
    return refuse(error);
  }
}

function refuse(error: unknown): never {
  if (error instanceof EngineError) throw error;
  throw new EngineError('InvalidArgument', `TensorFlow cannot load the SavedModel: ${reasonOf(error)}`);
}

class SessionModel implements RunningModel {
  readonly tensorCount = 0;
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly #native: SessionAddon;
  readonly #session: Handle<'session'>;
  readonly #callables = new Map<string, Handle<'callable'>>();

  constructor(native: SessionAddon, session: Handle<'session'>, signatures: readonly Signature[]) {
    this.#native = native;
    this.#session = session;
    const known = new Map<string, Signature>();
    for (const signature of signatures) {
      const names = (specs: readonly TensorSpec[]) => specs.map(({ tensorName }) => tensorName);
      const callable = native.prepare(session, names(signature.inputs), names(signature.outputs));
      const ports = native.describe(callable);
      this.#callables.set(signature.name, callable);
      known.set(signature.name, {
        ...signature,
        inputs: signature.inputs.map((spec, i) => refined(spec, ports.inputs[i] as Port)),
        outputs: signature.outputs.map((spec, i) => refined(spec, ports.outputs[i] as Port)),
      });
    }
    this.signatures = known;
  }

  async run({ name, outputs }: Signature, inputs: NamedTensors): Promise<NamedTensors> {
    const tensors = [...inputs.values()];
    const results = await this.#native
      .run(
        this.#callables.get(name) as Handle<'callable'>,
        tensors.map(({ shape }) => shape),
        tensors.map(({ data }) => data),
      )
      .catch((error: unknown) => {
        throw runError(error);
      });
    return new Map(
      results.map((result, i) => [outputs[i]?.name as string, toTensor(outputs[i] as TensorSpec, result)]),
    );
  }

  close(): Promise<void> {
    this.#callables.clear();
    return this.#native.close(this.#session);
  }
}

/** The signature's word where it has one; the graph's where the signature leaves rank or size open. */
function refined(spec: TensorSpec, port: Port): TensorSpec {
  const datatype = datatypeOfNumber(port.dataType);
  if (datatype !== spec.datatype) {
    throw new EngineError(
      'InvalidArgument',
      `"${spec.name}" is ${spec.datatype} in its signature and TensorFlow's data type ${port.dataType} in the graph`,
    );
  }
  if (spec.shape === null || port.shape === null) return { ...spec, shape: spec.shape ?? port.shape };
  if (spec.shape.length !== port.shape.length) return { ...spec, shape: port.shape };
  const graph = port.shape;
  return { ...spec, shape: spec.shape.map((size, axis) => (size === -1 ? (graph[axis] ?? -1) : size)) };
}

/** Every typed array's constructor over a part of a buffer. */
type ViewType = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;

function toTensor(
  { datatype }: TensorSpec,
  { shape, data }: { shape: number[]; data: ArrayBuffer | Uint8Array[] },
) {
  if (Array.isArray(data)) return { datatype: 'BYTES', shape, data } as const;
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

/** The first line, without the addresses of nodes that TensorFlow adds for its own developers. */
function reasonOf(error: unknown): string {
  const [line = ''] = (error as Error).message.split('\n');
  return line.replace(/\s*\[\[\{\{node .*$/, '').slice(0, 500);
}

/**
 * A `tensorflow.ConfigProto`: as many threads as the process may use (TensorFlow itself would count the whole
 * machine's), and operations without a GPU kernel on the CPU. Field numbers are those of `config.proto`.
 */
function sessionConfig(threads: number): Uint8Array {
  const varint = (value: number): number[] =>
    value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
  const field = (number: number, value: number) => [number << 3, ...varint(value)];
  const [intraOpParallelismThreads, interOpParallelismThreads, allowSoftPlacement] = [2, 5, 7];
  return Uint8Array.from([
    ...field(intraOpParallelismThreads, threads),
    ...field(interOpParallelismThreads, threads),
    ...field(allowSoftPlacement, 1),
  ]);
}
