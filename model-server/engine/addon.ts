/** The add-on `aicity_session` (`native/session.cc`): TensorFlow sessions for JavaScript. */
import { availableParallelism } from 'node:os';
import type { Tensor } from '../protocol/tensor.ts';
import { EngineError } from './engine.ts';
import { concatenated, integerField, messageField } from './graph/protobuf-writer.ts';
import { loadAddon } from './native-package.ts';

export interface Handle<Kind extends string> {
  readonly kind: Kind;
}
/** What the graph says of one of its tensors: TensorFlow's data type, and `null` where the rank is open. */
export interface Port {
  readonly dataType: number;
  readonly shape: number[] | null;
}
export interface NativeOutput {
  readonly shape: number[];
  readonly data: ArrayBuffer | Uint8Array[];
}
export interface NativeRun {
  /** What the run took, without waiting for a thread. */
  readonly milliseconds: number;
  /** For a thread. */
  readonly waitedMilliseconds: number;
  readonly outputs: readonly NativeOutput[];
}
type Inputs = readonly [shapes: readonly (readonly number[])[], data: readonly Tensor['data'][]];

export interface SessionAddon {
  /** TensorFlow's. */
  readonly version: string;
  load(directory: string, tags: readonly string[], config: Uint8Array): Promise<Handle<'session'>>;
  importGraph(graph: readonly Uint8Array[], config: Uint8Array): Promise<Handle<'session'>>;
  prepare(
    session: Handle<'session'>,
    inputs: readonly string[],
    outputs: readonly string[],
  ): Handle<'callable'>;
  /** What gives the values of variables, by the names of their nodes; once for each variable of a session. */
  prepareReads(session: Handle<'session'>, variables: readonly string[]): Handle<'callable'>;
  describe(callable: Handle<'callable'>): { inputs: Port[]; outputs: Port[] };
  /** Threads of `run` and of `runWide`. Said before the first of either. */
  setThreads(count: number): void;
  /** GPUs that TensorFlow can use. */
  gpus(config: Uint8Array): number;
  /** On a thread that only runs models. */
  run(callable: Handle<'callable'>, ...inputs: Inputs): Promise<NativeRun>;
  /** With operations that divide their work among threads; not with a GPU. */
  runWide(callable: Handle<'callable'>, ...inputs: Inputs): Promise<NativeRun>;
  /** On the caller's thread. */
  runNow(callable: Handle<'callable'>, ...inputs: Inputs): NativeRun;
  close(session: Handle<'session'>): Promise<void>;
}

/** Where rows are not dealt out, runs of several models go on side by side all the same, and take turns on the cores. */
const LEAST_THREADS = 4;

let addon: SessionAddon | undefined;
let cores = 1;

/**
 * Loads the library on first use, which takes a third of a second.
 * @throws EngineError Unavailable when it is not there.
 */
export function sessionAddon(): SessionAddon {
  if (addon) return addon;
  try {
    const native = loadAddon<SessionAddon>('aicity_session');
    const all = availableParallelism();
    cores = native.gpus(configProto(all)) > 0 ? 1 : all;
    native.setThreads(cores === 1 ? Math.max(all, LEAST_THREADS) : all);
    addon = native;
    return addon;
  } catch (error) {
    const { message } = error as Error;
    throw new EngineError(
      'Unavailable',
      `native TensorFlow cannot be loaded: ${message}; in a checkout, run \`node model-server/native/build.ts\``,
    );
  }
}

/**
 * To run a model; or only to have its variables restored and read, for which operations are added to the graph and
 * nothing is worth being improved.
 */
export type SessionPurpose = 'Runs' | 'Restores';

/** Cores that one run may use: 1 where a GPU computes. Known once the library has been loaded. */
export const coresOfRun = () => cores;

/**
 * A `tensorflow.ConfigProto`. One operation follows the other on the thread that called, and computes on that thread
 * alone: how runs use the cores is decided for each (`run-ways.ts`). Beside a GPU, operations have as many threads as the
 * process may use (TensorFlow itself would count the whole machine's).
 */
export function sessionConfig(purpose: SessionPurpose): Uint8Array {
  const [experimental, optimizeForStaticGraph, disableOutputPartitionGraphs] = [16, 12, 14];
  const [graphOptions, rewriteOptions, disableMetaOptimizer] = [10, 10, 19];
  const threads = cores === 1 ? availableParallelism() : 1;
  return configProto(
    threads,
    purpose === 'Runs'
      ? messageField(
          experimental,
          ...[optimizeForStaticGraph, disableOutputPartitionGraphs].map((field) => integerField(field, 1)),
        )
      : messageField(graphOptions, messageField(rewriteOptions, integerField(disableMetaOptimizer, 1))),
  );
}

/**
 * Operations without a GPU kernel run on the CPU, and GPU memory is taken as it is needed. No copies of the graph are kept
 * for what we never ask. Field numbers are those of `config.proto`.
 */
function configProto(threadsOfOperation: number, ...rest: Parameters<typeof concatenated>[0]): Uint8Array {
  const [intraOpParallelismThreads, interOpParallelismThreads, allowSoftPlacement] = [2, 5, 7];
  const [gpuOptions, allowGrowth] = [6, 4];
  const { pieces } = concatenated([
    integerField(intraOpParallelismThreads, threadsOfOperation),
    integerField(interOpParallelismThreads, -1),
    messageField(gpuOptions, integerField(allowGrowth, 1)),
    integerField(allowSoftPlacement, 1),
    ...rest,
  ]);
  return Buffer.concat(pieces);
}

/** The first line, without the addresses of nodes that TensorFlow adds for its own developers. */
export function reasonOf(error: unknown): string {
  const [line = ''] = (error as Error).message.split('\n');
  return line.replace(/\s*\[\[\{\{node .*$/, '').slice(0, 500);
}
