/** A model that runs as a TensorFlow session, wherever its graph came from. */
import { arrayTypes } from '../protocol/cast.ts';
import {
  type Datatype,
  elementCount,
  type NamedTensors,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '../protocol/tensor.ts';
import {
  coresOfRun,
  type Handle,
  type NativeOutput,
  type NativeRun,
  type Port,
  reasonOf,
  type SessionAddon,
} from './addon.ts';
import { bytesOf, freeInputs, innerShapes, join, rowsOf, split } from './batch-tensors.ts';
import { EngineError, type RunOptions } from './engine.ts';
import type { RunningModel } from './model.ts';
import { RunThreads } from './run-threads.ts';
import {
  always,
  type RunPlan,
  type RunPlanner,
  type RunTime,
  type RunWay,
  RunWays,
  type Undivided,
} from './run-ways.ts';
import { busyShareOfThread } from './thread-load.ts';

interface Prepared {
  readonly callable: Handle<'callable'>;
  readonly ways: RunPlanner;
  /** False once outputs had other rows than inputs, whatever the caller knew. */
  isDivisible: boolean;
}

interface Run {
  /** As it was in the end. */
  readonly way: RunWay;
  readonly time: RunTime;
  readonly outputs: NamedTensors;
}

const threads = new RunThreads(() => performance.now());

/** What a signature's entry is, given what the graph says of it. Throws EngineError when the two contradict. */
export type Refine = (spec: TensorSpec, port: Port) => TensorSpec;

export interface SessionModelOptions {
  readonly signatures: readonly Signature[];
  readonly refine: Refine;
  /** For signatures that compute what one before them does, the name of that one. */
  readonly same?: ReadonlyMap<string, string>;
  readonly way: RunWay | 'Best';
}

export class SessionModel implements RunningModel {
  readonly tensorCount = 0;
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly #native: SessionAddon;
  readonly #session: Handle<'session'>;
  readonly #prepared = new Map<string, Prepared>();
  #going = 0;
  /** Of those that go on, the ones that are not to have company. */
  #alone = 0;

  /** Throws what the add-on or `refine` throw; the session is then still the caller's to close. */
  constructor(
    native: SessionAddon,
    session: Handle<'session'>,
    { signatures, refine, same = new Map(), way }: SessionModelOptions,
  ) {
    const cores = coresOfRun();
    this.#native = native;
    this.#session = session;
    const known = new Map<string, Signature>();
    for (const signature of signatures) {
      const names = (specs: readonly TensorSpec[]) => specs.map(({ tensorName }) => tensorName);
      const prepared = this.#prepared.get(same.get(signature.name) ?? '') ?? {
        callable: native.prepare(session, names(signature.inputs), names(signature.outputs)),
        ways: way === 'Best' ? new RunWays(cores) : always(way, cores),
        isDivisible: true,
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

  async run(
    { name, outputs }: Signature,
    inputs: NamedTensors,
    { rows = 'Together', abreast = 1 }: RunOptions,
  ): Promise<NamedTensors> {
    const prepared = this.#prepared.get(name) as Prepared;
    const isDivisible = rows === 'Independent' && prepared.isDivisible;
    const size = { bytes: bytesOf(inputs), rows: (isDivisible && rowsOf(inputs)) || 1 };
    threads.use(this);
    const plan = prepared.ways.plan(size, {
      callerShare: busyShareOfThread(),
      abreast: threads.isSoleUser(this) ? abreast : 1,
    });
    const isTelling = plan.company === 'Alone' || (plan.company === 'Allowed' && this.#going === 0);
    this.#going++;
    if (plan.company === 'Alone') this.#alone++;
    try {
      const run = await this.#carryOut(plan, prepared, outputs, inputs, size.rows);
      if (isTelling) prepared.ways.took(size, run.way, run.time);
      return run.outputs;
    } catch (error) {
      throw runError(error);
    } finally {
      this.#going--;
      if (plan.company === 'Alone') this.#alone--;
      // They were given away with the call, and TensorFlow has its own copy.
      freeInputs(inputs);
    }
  }

  get isSaturated(): boolean {
    // Runs of another model would have to wait for all of those side by side.
    return this.#alone > 0 || threads.runs > coresOfRun() || !threads.isSoleUser(this);
  }

  async #carryOut(
    plan: RunPlan,
    prepared: Prepared,
    outputs: readonly TensorSpec[],
    inputs: NamedTensors,
    rows: number,
  ): Promise<Run> {
    if (plan.way === 'Divided') {
      const run = await this.#runDivided(prepared, outputs, inputs, evenly(rows, plan.shares));
      if (run) return run;
    }
    const way = plan.way === 'Divided' ? 'OneThread' : plan.way;
    const run = await this.#start(way, prepared, inputs);
    return {
      way,
      time: { computed: run.milliseconds, elapsed: elapsedOf(run) },
      outputs: named(outputs, run),
    };
  }

  /** @returns undefined when the outputs cannot be joined. */
  async #runDivided(
    prepared: Prepared,
    outputs: readonly TensorSpec[],
    inputs: NamedTensors,
    rows: readonly number[],
  ): Promise<Run | undefined> {
    const shares = split(inputs, rows) as NamedTensors[];
    const runs = await allOf(shares.map(async (share) => this.#start('OneThread', prepared, share)));
    const elapsed = Math.max(...runs.map(elapsedOf));
    const answers = runs.map((run) => named(outputs, run));
    prepared.isDivisible = areJoinable(answers, rows);
    if (!prepared.isDivisible) return undefined;
    return { way: 'Divided', time: { computed: elapsed, elapsed }, outputs: join(answers) };
  }

  #start(way: Undivided, { callable }: Prepared, inputs: NamedTensors): NativeRun | Promise<NativeRun> {
    const native = [callable, ...nativeInputs(inputs)] as const;
    if (way === 'Here') return this.#native.runNow(...native);
    if (way === 'Wide') return this.#native.runWide(...native);
    return threads.during(this.#native.run(...native));
  }

  close(): Promise<void> {
    this.#prepared.clear();
    return this.#native.close(this.#session);
  }
}

/** As the add-on takes them. */
function nativeInputs(inputs: NamedTensors): [shapes: (readonly number[])[], data: Tensor['data'][]] {
  const shapes: (readonly number[])[] = [];
  const data: Tensor['data'][] = [];
  for (const tensor of inputs.values()) {
    shapes.push(tensor.shape);
    data.push(tensor.data);
  }
  return [shapes, data];
}

const elapsedOf = ({ milliseconds, waitedMilliseconds }: NativeRun) => waitedMilliseconds + milliseconds;

function named(outputs: readonly TensorSpec[], { outputs: found }: NativeRun): NamedTensors {
  const tensors = new Map<string, Tensor>();
  for (const [i, spec] of outputs.entries()) tensors.set(spec.name, toTensor(spec, found[i] as NativeOutput));
  return tensors;
}

/** So many shares of the rows, as equal as can be. */
function evenly(rows: number, shares: number): number[] {
  return Array.from({ length: shares }, (_, share) => Math.floor((rows + share) / shares));
}

/** As `Promise.all`, but also a failure waits until nobody reads the inputs any more. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** Whether each output of each share has as many rows as went in, and is otherwise of one shape. */
function areJoinable(answers: readonly NamedTensors[], rows: readonly number[]): boolean {
  const [first = ''] = answers.map(innerShapes);
  return answers.every(
    (answer, share) =>
      innerShapes(answer) === first && [...answer.values()].every(({ shape }) => shape[0] === rows[share]),
  );
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
