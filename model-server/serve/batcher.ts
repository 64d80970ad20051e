/**
 * Hands requests to the engine in batches. There is no timer: while a run is in flight requests gather, and what has
 * gathered when it ends is the next batch. Under light load a request runs at once and alone; the heavier the load,
 * the larger the batches. Only with `maxDelayMilliseconds` does an idle engine wait for a batch to fill. Runs go on side
 * by side once more waits than the next run can take, until every core has work.
 */
import type { Clock } from '../clock.ts';
import { bytesOf, freeInputs, innerShapes, join, rowsOf, split } from '../engine/batch-tensors.ts';
import { BusyTime } from '../engine/busy-time.ts';
import { type Engine, EngineError } from '../engine/engine.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { NORMAL, type Priority } from '../protocol/priority.ts';
import type { NamedTensors } from '../protocol/tensor.ts';
import { BatchQueue, turnAt, type Waiting } from './batch-queue.ts';
import { RunPace } from './run-pace.ts';

/** A model as the batcher needs it. */
export interface RunnableModel {
  readonly id: string;
  /** Signatures whose requests may be joined. */
  readonly joinable: ReadonlySet<string>;
}

export interface Request {
  readonly model: RunnableModel;
  readonly signature: string;
  /** Checked against the signature. Given away with the request. */
  readonly inputs: NamedTensors;
  /** How long it may wait, where that is less than for all requests. */
  readonly timeoutSeconds?: number | undefined;
  readonly priority?: Priority | undefined;
  /** Called once, and never after the request was withdrawn. Must not throw. */
  done(outcome: Outcome): void;
}

export type Outcome =
  | { outputs: NamedTensors; queuedMilliseconds: number; computedMilliseconds: number }
  | { error: ProtocolError };

export interface BatcherSettings {
  maxBatchSize: number;
  maxDelayMilliseconds: number;
  requestTimeoutSeconds: number;
}

/** What observers are told; each number is for one event. */
export interface BatcherEvents {
  batchFinished(requests: number, rows: number, model: RunnableModel, computedMilliseconds: number): void;
  requestStarted(queuedMilliseconds: number): void;
  requestExpired(queuedMilliseconds: number): void;
}

interface Job extends Waiting {
  readonly request: Request;
  /** Of `RunPace`. */
  readonly kind: string;
  cancelled: boolean;
}

/**
 * Full batches that wait before a run is started beside another one: with fewer, the next run would be left with what
 * happens to come in the meantime, and small batches cost more than an idle core.
 */
export const FULL_BATCHES_BEHIND = 2;
/** Tensors of one batch: far above any sensible batch, far below what a process may hold. */
const MOST_BATCH_BYTES = 256 * 2 ** 20;
/** Expired requests are answered in groups, so that a long queue is not searched for each of them. */
const SWEEP_SECONDS = 0.02;

export class Batcher {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #settings: () => BatcherSettings;
  readonly #events: BatcherEvents;
  readonly #queue = new BatchQueue<Job>();
  readonly #pace = new RunPace();
  /**
   * What is in flight, the oldest first: how many requests, not which. Of a set that is filled and emptied again and again
   * V8 keeps older tables alive for a while, each with the requests that it held.
   */
  readonly #running: { readonly requests: number; readonly startedAt: number }[] = [];
  readonly #busy: BusyTime;
  #finishedAt = 0;
  #wake: (() => void) | undefined;
  #pumpDue = false;
  #sweepAt: number | undefined;
  #cancelSweep = () => {};

  constructor(engine: Engine, settings: () => BatcherSettings, events: BatcherEvents, clock: Clock) {
    this.#engine = engine;
    this.#settings = settings;
    this.#events = events;
    this.#clock = clock;
    this.#busy = new BusyTime(() => clock.monotonicMilliseconds() / 1000);
  }

  /** Requests that wait. */
  get queued(): number {
    return this.#queue.size;
  }

  /**
   * How long the engine needs for what waits, in milliseconds, by what runs took so far; 0 while that is no more than
   * one batch, whose rows may cost far less together than they did alone.
   */
  get backlogMilliseconds(): number {
    return this.#queue.rows <= this.#settings().maxBatchSize ? 0 : this.#queue.expectedMilliseconds;
  }

  /** Requests that are being computed. */
  get inFlight(): number {
    return this.#running.reduce((sum, { requests }) => sum + requests, 0);
  }

  /** How long the oldest run in flight has lasted, in seconds; 0 when the engine is idle. */
  get runSeconds(): number {
    const [oldest] = this.#running;
    return oldest ? (this.#clock.monotonicMilliseconds() - oldest.startedAt) / 1000 : 0;
  }

  /** Seconds in which at least one request was at the engine, the present runs included. */
  get totalRunSeconds(): number {
    return this.#busy.seconds;
  }

  /**
   * Takes a request; `done` tells the outcome.
   * @returns a function that withdraws it: a waiting request is dropped, a running one has its outcome ignored.
   */
  submit(request: Request): () => void {
    const { model, signature, inputs, timeoutSeconds = Number.POSITIVE_INFINITY } = request;
    const { priority = NORMAL } = request;
    const { requestTimeoutSeconds } = this.#settings();
    const rows = model.joinable.has(signature) ? rowsOf(inputs) : undefined;
    const now = this.#clock.monotonicMilliseconds();
    const kind = `${model.id} ${signature} ${innerShapes(inputs)}`;
    const job: Job = {
      ...{ request, kind },
      key: rows === undefined ? undefined : kind,
      rows: rows ?? 1,
      expectedMilliseconds: this.#expected(kind, rows ?? 1),
      bytes: bytesOf(inputs),
      priority,
      enqueuedAt: now,
      turnAt: turnAt(now, priority, requestTimeoutSeconds),
      deadlineAt: now + Math.min(requestTimeoutSeconds, timeoutSeconds) * 1000,
      cancelled: false,
    };
    this.#queue.add(job);
    this.#schedulePump();
    this.#scheduleSweep(job.deadlineAt);
    return () => {
      job.cancelled = true;
      this.#queue.remove(job);
    };
  }

  /** What a request adds to a long queue, in which as many of its size share a run as fit. */
  #expected(kind: string, rows: number): number {
    const { maxBatchSize } = this.#settings();
    return this.#pace.expected(kind, rows, Math.max(rows, Math.floor(maxBatchSize / rows) * rows));
  }

  /** After the sockets that are readable now have been read, so that requests of one moment share a batch. */
  #schedulePump(): void {
    if (this.#pumpDue || !this.#hasRoom()) return;
    this.#pumpDue = true;
    setImmediate(() => {
      this.#pumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    this.#wake?.();
    this.#wake = undefined;
    if (!this.#hasRoom() || this.#isWaitingToFill()) return;
    const batch = this.#queue.take({ rows: this.#settings().maxBatchSize, bytes: MOST_BATCH_BYTES });
    if (batch.length === 0) return;
    void this.#run(batch);
    this.#schedulePump();
  }

  /** Whether another run may be started. */
  #hasRoom(): boolean {
    if (this.#running.length === 0) return true;
    const next = this.#fullBatches() >= FULL_BATCHES_BEHIND && this.#queue.next();
    return next ? !this.#engine.isSaturated(next.request.model.id) : false;
  }

  #fullBatches(): number {
    return this.#queue.fullBatches(this.#settings().maxBatchSize);
  }

  #isWaitingToFill(): boolean {
    const { maxBatchSize, maxDelayMilliseconds } = this.#settings();
    const next = this.#queue.next();
    if (maxDelayMilliseconds === 0 || !next) return false;
    const waited = this.#clock.monotonicMilliseconds() - next.enqueuedAt;
    if (waited >= maxDelayMilliseconds || this.#queue.rowsWithNext(maxBatchSize) >= maxBatchSize)
      return false;
    this.#wake = this.#clock.after((maxDelayMilliseconds - waited) / 1000, () => this.#pump());
    return true;
  }

  async #run(batch: Job[]): Promise<void> {
    const startedAt = this.#clock.monotonicMilliseconds();
    const running = { requests: batch.length, startedAt };
    this.#running.push(running);
    for (const job of batch) this.#events.requestStarted(startedAt - job.enqueuedAt);
    const answers = await this.#busy.during(() => this.#answers(batch));
    this.#running.splice(this.#running.indexOf(running), 1);
    const finishedAt = this.#clock.monotonicMilliseconds();
    const computedMilliseconds = finishedAt - startedAt;
    const rows = batch.reduce((sum, job) => sum + job.rows, 0);
    const { kind, request } = batch[0] as Job;
    // Of runs that went on side by side, what each added: so much sooner would the last one have been over without it.
    this.#pace.took(kind, rows, finishedAt - Math.max(startedAt, this.#finishedAt));
    this.#finishedAt = finishedAt;
    this.#events.batchFinished(batch.length, rows, request.model, computedMilliseconds);
    // The next run goes first: answers are written while it computes.
    this.#pump();
    batch.forEach((job, index) => {
      const answer = answers[index] as NamedTensors | ProtocolError;
      if (job.cancelled) return;
      if (answer instanceof ProtocolError) job.request.done({ error: answer });
      else {
        const queuedMilliseconds = startedAt - job.enqueuedAt;
        job.request.done({ outputs: answer, queuedMilliseconds, computedMilliseconds });
      }
    });
  }

  async #answers(batch: Job[]): Promise<(NamedTensors | ProtocolError)[]> {
    const [only] = batch;
    if (batch.length === 1 && only) return [await this.#runAlone(only)];
    try {
      // The engine keeps what it is given, and a batch that fails is tried again one by one: join copies.
      const outputs = await this.#runOnce(batch, join(batch.map(({ request }) => request.inputs)));
      const shares = split(
        outputs,
        batch.map(({ rows }) => rows),
      );
      if (shares) {
        for (const { request } of batch) freeInputs(request.inputs);
        return shares;
      }
    } catch (cause) {
      const error = protocolErrorOf(cause);
      if (error.kind === 'Unavailable') return batch.map(() => error);
    }
    // One bad request must not fail the good ones that it was joined with.
    const answers: (NamedTensors | ProtocolError)[] = [];
    for (const job of batch) answers.push(await this.#runAlone(job));
    return answers;
  }

  async #runAlone(job: Job): Promise<NamedTensors | ProtocolError> {
    if (job.cancelled) return new ProtocolError('Unavailable', '', 'the request was withdrawn');
    return this.#runOnce([job], job.request.inputs).catch(protocolErrorOf);
  }

  #runOnce([first]: Job[], inputs: NamedTensors): Promise<NamedTensors> {
    const { request, key } = first as Job;
    return this.#engine.run(request.model.id, request.signature, inputs, {
      // What may be joined may be dealt out as well.
      rows: key === undefined ? 'Together' : 'Independent',
      // This one, those that go on, and those that are to be started beside them.
      abreast: this.#running.length + Math.max(0, this.#fullBatches() - FULL_BATCHES_BEHIND + 1),
    });
  }

  /** Sets the one timer to the deadline that passes first; a request's own timeout may be shorter than all others. */
  #scheduleSweep(deadline = this.#queue.firstDeadline()): void {
    if (deadline === undefined || (this.#sweepAt !== undefined && this.#sweepAt <= deadline)) return;
    this.#cancelSweep();
    this.#sweepAt = deadline;
    const seconds = (deadline - this.#clock.monotonicMilliseconds()) / 1000;
    this.#cancelSweep = this.#clock.after(Math.max(seconds, SWEEP_SECONDS), () => {
      this.#sweepAt = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const now = this.#clock.monotonicMilliseconds();
    for (const job of this.#queue.takeExpired(now)) {
      const waited = now - job.enqueuedAt;
      this.#events.requestExpired(waited);
      const limit = isLimitOfItsOwn(job) ? 'its own timeout' : 'spec.serving.requestTimeoutSeconds';
      const sentence = `the request waited ${(waited / 1000).toFixed(1)} s for the engine, longer than ${limit} allows: try again later, or ask for more replicas`;
      if (!job.cancelled) job.request.done({ error: new ProtocolError('DeadlineExceeded', '', sentence) });
    }
    this.#scheduleSweep();
  }
}

const isLimitOfItsOwn = ({ request, deadlineAt, enqueuedAt }: Job) =>
  request.timeoutSeconds !== undefined && deadlineAt - enqueuedAt === request.timeoutSeconds * 1000;

function protocolErrorOf(cause: unknown): ProtocolError {
  if (cause instanceof ProtocolError) return cause;
  if (cause instanceof EngineError) return new ProtocolError(cause.kind, '', cause.message);
  return new ProtocolError('Internal', '', `the inference failed: ${(cause as Error).message}`);
}
