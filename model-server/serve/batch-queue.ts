/**
 * Requests that wait for the engine, first come first served. Those of equal `key` may run together: a batch is the
 * oldest request and as many younger ones of its key as fit.
 */
export interface Waiting {
  /** Model, signature and the shapes without the first dimension; undefined when it must run alone. */
  readonly key: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  /** Monotonic milliseconds. */
  readonly enqueuedAt: number;
  readonly deadlineAt: number;
}

export interface BatchLimits {
  rows: number;
  bytes: number;
}

interface Entry<T> {
  readonly item: T;
  readonly order: number;
}

/** One key's entries, oldest first from `head` on; what lies before `head` is taken or removed. */
interface Lane<T> {
  entries: (Entry<T> | undefined)[];
  head: number;
}

const ALONE = Symbol('alone');

export class BatchQueue<T extends Waiting> {
  readonly #lanes = new Map<string | typeof ALONE, Lane<T>>();
  #size = 0;
  #bytes = 0;
  #order = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(item: T): void {
    const name = item.key ?? ALONE;
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = { entries: [], head: 0 };
      this.#lanes.set(name, lane);
    }
    lane.entries.push({ item, order: this.#order++ });
    this.#size++;
    this.#bytes += item.bytes;
  }

  /** Takes one out of turn; false when it is not waiting (any more). */
  remove(item: T): boolean {
    const name = item.key ?? ALONE;
    const lane = this.#lanes.get(name);
    if (!lane) return false;
    let at = lane.head;
    while (at < lane.entries.length && lane.entries[at]?.item !== item) at++;
    if (at === lane.entries.length) return false;
    lane.entries[at] = undefined;
    this.#taken(item);
    this.#tidy(name, lane);
    return true;
  }

  /** The request that has waited longest. */
  oldest(): T | undefined {
    return this.#oldestLane()?.[2].item;
  }

  /** Requests that could run with the oldest one now, and their rows; nothing is taken. */
  rowsBehindOldest(limit: number): number {
    const found = this.#oldestLane();
    if (!found) return 0;
    if (found[0] === ALONE) return limit;
    let rows = 0;
    const { entries, head } = found[1];
    for (let at = head; at < entries.length && rows < limit; at++) rows += entries[at]?.item.rows ?? 0;
    return rows;
  }

  /** Takes the next batch; empty when nothing waits. A request that alone exceeds the limits is a batch of one. */
  take(limits: BatchLimits): T[] {
    const found = this.#oldestLane();
    if (!found) return [];
    const [name, lane] = found;
    const batch: T[] = [];
    let rows = 0;
    let bytes = 0;
    while (lane.head < lane.entries.length) {
      const item = lane.entries[lane.head]?.item;
      if (item) {
        rows += item.rows;
        bytes += item.bytes;
        if (batch.length > 0 && (rows > limits.rows || bytes > limits.bytes)) break;
        batch.push(item);
        this.#taken(item);
      }
      lane.head++;
      if (name === ALONE && item) break;
    }
    this.#tidy(name, lane);
    return batch;
  }

  /** Takes all whose deadline has passed. */
  takeExpired(now: number): T[] {
    const expired = [...this.#items()].filter(({ deadlineAt }) => deadlineAt <= now);
    for (const item of expired) this.remove(item);
    return expired;
  }

  /** The deadline that passes first, or undefined when nothing waits. */
  firstDeadline(): number | undefined {
    let first: number | undefined;
    for (const { deadlineAt } of this.#items())
      if (first === undefined || deadlineAt < first) first = deadlineAt;
    return first;
  }

  *#items(): Generator<T> {
    for (const { entries, head } of this.#lanes.values()) {
      for (let at = head; at < entries.length; at++) {
        const entry = entries[at];
        if (entry) yield entry.item;
      }
    }
  }

  #taken(item: T): void {
    this.#size--;
    this.#bytes -= item.bytes;
  }

  #oldestLane(): [string | typeof ALONE, Lane<T>, Entry<T>] | undefined {
    let oldest: [string | typeof ALONE, Lane<T>, Entry<T>] | undefined;
    for (const [name, lane] of this.#lanes) {
      const entry = lane.entries[lane.head];
      if (entry && (!oldest || entry.order < oldest[2].order)) oldest = [name, lane, entry];
    }
    return oldest;
  }

  /** Keeps `head` on an entry, gives memory back, and forgets empty lanes: shapes come and go. */
  #tidy(name: string | typeof ALONE, lane: Lane<T>): void {
    while (lane.head < lane.entries.length && lane.entries[lane.head] === undefined) lane.head++;
    if (lane.head === lane.entries.length) this.#lanes.delete(name);
    else if (lane.head > 1024) {
      lane.entries = lane.entries.slice(lane.head);
      lane.head = 0;
    }
  }
}
