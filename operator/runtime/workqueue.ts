/**
 * The keys that need a look, with the guarantees of client-go's rate-limited queue:
 *
 * - a key waits at most once, however often it is added;
 * - a key is worked on at most once at a time; added meanwhile, it comes again when that work is finished;
 * - a key can be added for later; of several such times the earliest counts;
 * - a key that keeps failing comes back more and more slowly until it is forgotten.
 */
import { type BackoffPolicy, backoffSeconds } from './backoff.ts';
import type { Clock } from './clock.ts';
import { type Key, keyString } from './key.ts';

export type { Key } from './key.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** From 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
  /** Default: 0.2 s doubling to 60 s. */
  readonly backoff?: BackoffPolicy;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: BackoffPolicy;
  /** Ready to be taken, oldest first (a Map keeps the order of insertion). */
  readonly #ready = new Map<string, Key>();
  /** Taken and not finished. */
  readonly #processing = new Set<string>();
  /** Added while being processed. */
  readonly #dirty = new Map<string, Key>();
  readonly #later = new Map<string, { readonly atSeconds: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: Key | undefined) => void)[] = [];
  #closed = false;

  constructor({
    clock,
    random = Math.random,
    backoff = { baseSeconds: 0.2, maxSeconds: 60 },
  }: WorkQueueOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#backoff = backoff;
  }

  /** Keys that wait to be taken now; those for later are not counted. */
  get depth(): number {
    return this.#ready.size + this.#dirty.size;
  }

  /** Keys being worked on. */
  get active(): number {
    return this.#processing.size;
  }

  add(key: Key): void {
    if (this.#closed) return;
    const id = keyString(key);
    if (this.#processing.has(id)) {
      this.#dirty.set(id, key);
      return;
    }
    this.#ready.set(id, key);
    this.#serve();
  }

  addAfter(key: Key, seconds: number): void {
    if (this.#closed) return;
    if (seconds <= 0) {
      this.add(key);
      return;
    }
    const id = keyString(key);
    const atSeconds = this.#clock.monotonicSeconds() + seconds;
    const planned = this.#later.get(id);
    if (planned && planned.atSeconds <= atSeconds) return;
    planned?.cancel();
    const cancel = this.#clock.after(seconds, () => {
      this.#later.delete(id);
      this.add(key);
    });
    this.#later.set(id, { atSeconds, cancel });
  }

  /**
   * Adds a key that failed, after its back-off.
   *
   * @param atLeastSeconds a wait that the failure itself asked for
   * @returns the wait in seconds
   */
  retry(key: Key, atLeastSeconds = 0): number {
    const id = keyString(key);
    const failures = this.failures(key) + 1;
    this.#failures.set(id, failures);
    const seconds = Math.max(atLeastSeconds, backoffSeconds(failures, this.#backoff, this.#random));
    this.addAfter(key, seconds);
    return seconds;
  }

  /** Ends the back-off of a key: its next failure counts as the first. */
  forget(key: Key): void {
    this.#failures.delete(keyString(key));
  }

  /** Failures in a row. */
  failures(key: Key): number {
    return this.#failures.get(keyString(key)) ?? 0;
  }

  /** The next key, as soon as there is one; undefined once the queue is closed. `finish` must follow. */
  take(): Promise<Key | undefined> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#serve();
    });
  }

  finish(key: Key): void {
    const id = keyString(key);
    this.#processing.delete(id);
    const again = this.#dirty.get(id);
    this.#dirty.delete(id);
    if (again) this.add(again);
  }

  /** Drops everything that waits and sends all takers home. What is being processed may still be finished. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#later.values()) cancel();
    this.#later.clear();
    this.#ready.clear();
    this.#dirty.clear();
    this.#serve();
  }

  #serve(): void {
    while (this.#takers.length > 0) {
      const [next] = this.#ready;
      if (!next && !this.#closed) return;
      const taker = this.#takers.shift()!;
      if (!next) {
        taker(undefined);
        continue;
      }
      const [id, key] = next;
      this.#ready.delete(id);
      this.#processing.add(id);
      taker(key);
    }
  }
}
