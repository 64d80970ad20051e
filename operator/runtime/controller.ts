/**
 * Calls `reconcile(key)` for every key that needs a look, and again when the result asks for it.
 */
import type { Logger } from 'pino';
import { isKubeError } from '../kube/errors.ts';
import type { Clock } from './clock.ts';
import { type Key, keyString } from './key.ts';
import { noMetrics, type ReconcileOutcome, type RuntimeMetrics } from './metrics.ts';
import { WorkQueue, type WorkQueueOptions } from './workqueue.ts';

/** What a reconcile hands back: nothing more to do, or when to look again and why. */
export type ReconcileResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly afterSeconds: number; readonly reason: string };

export const done: ReconcileResult = Object.freeze({ kind: 'done' });

/** Look again after some time without waiting for a change; `reason` goes to the log. */
export function again(afterSeconds: number, reason: string): ReconcileResult {
  return { kind: 'again', afterSeconds, reason };
}

/**
 * Makes the world match what is wanted for one key. It is told a name and not what happened: it reads the whole
 * state each time. At most one call is in flight per key. It must end soon after `signal` aborts.
 *
 * Throwing asks for a retry with growing delay; a `KubeError` of kind `terminal`, or a `TerminalError`, is logged
 * and counted, and the key waits for its next change.
 */
export type Reconcile = (key: Key, signal: AbortSignal) => Promise<ReconcileResult>;

/** Throw it when only a change of the object can help. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ControllerOptions extends WorkQueueOptions {
  readonly name: string;
  readonly reconcile: Reconcile;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics?: RuntimeMetrics;
  /** Reconciles in flight at once; default 8. */
  readonly parallelism?: number;
  /** After this long a reconcile's signal aborts; default 120. */
  readonly timeoutSeconds?: number;
}

export class Controller {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #log: Logger;
  readonly #metrics: RuntimeMetrics;
  readonly #clock: Clock;
  readonly #running = new Map<string, number>();

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#queue = new WorkQueue(options);
    this.#log = options.log.child({ controller: options.name });
    this.#metrics = options.metrics ?? noMetrics;
    this.#clock = options.clock;
  }

  /** Asks for a look at this key; many calls before the look are one look. */
  enqueue(key: Key): void {
    this.#queue.add(key);
  }

  /** Asks for a look at this key in some time, unless one comes sooner. */
  enqueueAfter(key: Key, seconds: number): void {
    this.#queue.addAfter(key, seconds);
  }

  /** How long the oldest reconcile in flight has been running; 0 when there is none. */
  longestRunSeconds(): number {
    const started = Math.min(...this.#running.values());
    return Number.isFinite(started) ? this.#clock.monotonicSeconds() - started : 0;
  }

  /** Works until `signal` aborts, then waits for the reconciles in flight. */
  async run(signal: AbortSignal): Promise<void> {
    this.#metrics.controllerStarted(this.name, this.#queue);
    const close = () => this.#queue.close();
    if (signal.aborted) close();
    signal.addEventListener('abort', close, { once: true });
    const workers = Array.from({ length: this.#options.parallelism ?? 8 }, () => this.#work(signal));
    await Promise.all(workers);
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let key = await this.#queue.take(); key; key = await this.#queue.take()) {
      const id = keyString(key);
      const started = this.#clock.monotonicSeconds();
      this.#running.set(id, started);
      const outcome = await this.#reconcile(key, signal);
      this.#running.delete(id);
      this.#queue.finish(key);
      this.#metrics.reconciled(this.name, outcome, this.#clock.monotonicSeconds() - started);
    }
  }

  /** Never throws: whatever happens to one key, the others go on. */
  async #reconcile(key: Key, stop: AbortSignal): Promise<ReconcileOutcome> {
    const { reconcile, timeoutSeconds = 120 } = this.#options;
    const limit = new AbortController();
    const abort = () => limit.abort();
    const cancel = this.#clock.after(timeoutSeconds, abort);
    stop.addEventListener('abort', abort);
    try {
      const result = await reconcile(key, limit.signal);
      return this.#accept(key, result);
    } catch (error) {
      return stop.aborted ? 'retry' : this.#reject(key, error);
    } finally {
      cancel();
      stop.removeEventListener('abort', abort);
    }
  }

  #accept(key: Key, result: ReconcileResult): ReconcileOutcome {
    this.#queue.forget(key);
    switch (result.kind) {
      case 'done':
        return 'done';
      case 'again':
        this.#queue.addAfter(key, result.afterSeconds);
        this.#log.debug({ key: keyString(key), ...result }, 'look again');
        return 'again';
    }
  }

  #reject(key: Key, error: unknown): ReconcileOutcome {
    const outcome = outcomeOf(error);
    if (outcome === 'terminal') {
      this.#queue.forget(key);
      this.#log.error({ key: keyString(key), err: error }, 'reconcile failed for good');
      return outcome;
    }
    const retryAfterSeconds = this.#queue.retry(key, isKubeError(error) ? error.retryAfterSeconds : 0);
    const fields = {
      key: keyString(key),
      err: error,
      retryAfterSeconds,
      failures: this.#queue.failures(key),
    };
    if (outcome === 'conflict') this.#log.debug(fields, 'reconcile met a conflict');
    else if (outcome === 'retry') this.#log.warn(fields, 'reconcile failed');
    else this.#log.error(fields, 'reconcile panicked');
    return outcome;
  }
}

function outcomeOf(error: unknown): Exclude<ReconcileOutcome, 'done' | 'again'> {
  if (error instanceof TerminalError) return 'terminal';
  if (!isKubeError(error)) return 'panic';
  return error.kind === 'notFound' ? 'retry' : error.kind;
}
