/** A bounded map whose entries end at a monotonic time; when it is full, the oldest entry goes. */
import type { Clock } from '../runtime/clock.ts';

export class ExpiringMap<V> {
  readonly #clock: Pick<Clock, 'monotonicSeconds'>;
  readonly #capacity: number;
  readonly #entries = new Map<string, { readonly value: V; readonly endsAtSeconds: number }>();

  constructor(clock: Pick<Clock, 'monotonicSeconds'>, capacity: number) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (this.#clock.monotonicSeconds() < entry.endsAtSeconds) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** A life of zero or less stores nothing. */
  set(key: string, value: V, lifeSeconds: number): void {
    this.#entries.delete(key);
    if (!(lifeSeconds > 0)) return;
    while (this.#entries.size >= this.#capacity) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, { value, endsAtSeconds: this.#clock.monotonicSeconds() + lifeSeconds });
  }
}
