/**
 * Requests that wait for the engine, first come first served within their priority. Those of equal `key` may run
 * together: a batch is the request whose turn it is and as many others of its key as fit, the urgent ones first.
 */
import { NORMAL, PRIORITIES, type Priority } from '../protocol/priority.ts';

export interface Waiting {
  /** Model, signature and the shapes without the first dimension; undefined when it must run alone. */
  readonly key: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  /** Of the engine, as far as it is known. */
  readonly expectedMilliseconds: number;
  readonly priority: Priority;
  /** Monotonic milliseconds. */
  readonly enqueuedAt: number;
  /** Who has the earliest goes first: `enqueuedAt`, moved by what the priority is worth. Grows within a priority. */
  readonly turnAt: number;
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

/** One key's entries of one priority, oldest first from `head` on; what lies before `head` is taken or removed. */
interface Lane<T> {
  entries: (Entry<T> | undefined)[];
  head: number;
}

export class BatchQueue<T extends Waiting> {
  /** By priority and key; those that run alone have the key ''. */
  readonly #lanes = new Map<string, Lane<T>>();
  #size = 0;
  #bytes = 0;
  #rows = 0;
  #alone = 0;
  #expectedMilliseconds = 0;
  #order = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Batches that would be full, of those that wait; not quite so many when their keys differ, or some have many rows. */
  fullBatches(rowsOfBatch: number): number {
    const batches = this.#alone + Math.floor((this.#rows - this.#alone) / rowsOfBatch);
    return Math.min(batches, this.#size);
  }

  /** What the engine needs for all that wait. */
  get expectedMilliseconds(): number {
    return this.#expectedMilliseconds;
  }

  add(item: T): void {
    const name = laneOf(item.priority, item.key);
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = { entries: [], head: 0 };
      this.#lanes.set(name, lane);
    }
    lane.entries.push({ item, order: this.#order++ });
    this.#size++;
    this.#bytes += item.bytes;
    this.#rows += item.rows;
    if (item.key === undefined) this.#alone++;
    this.#expectedMilliseconds += item.expectedMilliseconds;
  }

  /** Takes one out of turn; false when it is not waiting (any more). */
  remove(item: T): boolean {
    const name = laneOf(item.priority, item.key);
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

  /** The request whose turn it is. */
  next(): T | undefined {
    return this.#nextLane()?.[1].item;
  }

  /** Rows of the next request and of those that could run with it now; nothing is taken. */
  rowsWithNext(limit: number): number {
    const item = this.next();
    if (!item) return 0;
    if (item.key === undefined) return limit;
    let rows = 0;
    for (const lane of this.#lanesLike(item)) {
      const { entries, head } = lane;
      for (let at = head; at < entries.length && rows < limit; at++) rows += entries[at]?.item.rows ?? 0;
    }
    return rows;
  }

  /** Takes the next batch; empty when nothing waits. A request that alone exceeds the limits is a batch of one. */
  take(limits: BatchLimits): T[] {
    const next = this.next();
    if (!next) return [];
    const batch: T[] = [];
    let rows = 0;
    let bytes = 0;
    for (const lane of this.#lanesLike(next)) {
      while (lane.head < lane.entries.length) {
        const item = lane.entries[lane.head]?.item;
        if (item) {
          rows += item.rows;
          bytes += item.bytes;
          if (batch.length > 0 && (rows > limits.rows || bytes > limits.bytes)) return this.#tidied(batch);
          batch.push(item);
          this.#taken(item);
          // A lane may be old before it is tidied, and must not keep what has been answered.
          lane.entries[lane.head] = undefined;
        }
        lane.head++;
        if (item && item.key === undefined) return this.#tidied(batch);
      }
    }
    return this.#tidied(batch);
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
    this.#rows -= item.rows;
    if (item.key === undefined) this.#alone--;
    // Sums of fractions do not come back to 0 by themselves.
    this.#expectedMilliseconds =
      this.#size === 0 ? 0 : this.#expectedMilliseconds - item.expectedMilliseconds;
  }

  #nextLane(): [Lane<T>, Entry<T>] | undefined {
    let next: [Lane<T>, Entry<T>] | undefined;
    for (const lane of this.#lanes.values()) {
      const entry = lane.entries[lane.head];
      if (entry && (!next || isBefore(entry, next[1]))) next = [lane, entry];
    }
    return next;
  }

  /** The lane of an item, then those of its key with other priorities, the urgent first. */
  #lanesLike({ key, priority }: T): Lane<T>[] {
    const priorities = [priority, ...PRIORITIES.filter((other) => other !== priority)];
    return priorities.flatMap((each) => this.#lanes.get(laneOf(each, key)) ?? []);
  }

  #tidied(batch: T[]): T[] {
    const [first] = batch;
    if (first === undefined) return batch;
    for (const priority of PRIORITIES) {
      const name = laneOf(priority, first.key);
      const lane = this.#lanes.get(name);
      if (lane) this.#tidy(name, lane);
    }
    return batch;
  }

  /** Keeps `head` on an entry, gives memory back, and forgets empty lanes: shapes come and go. */
  #tidy(name: string, lane: Lane<T>): void {
    while (lane.head < lane.entries.length && lane.entries[lane.head] === undefined) lane.head++;
    if (lane.head === lane.entries.length) this.#lanes.delete(name);
    else if (lane.head > 1024) {
      lane.entries = lane.entries.slice(lane.head);
      lane.head = 0;
    }
  }
}

/**
 * When it is the turn of a request, in milliseconds, if the engine is busy until then. An urgent one overtakes those
 * that came up to half the time before it that a request may wait; what is not urgent gives way for as long. So nothing
 * waits for ever behind what keeps coming.
 */
export function turnAt(enqueuedAt: number, priority: Priority, requestTimeoutSeconds: number): number {
  return enqueuedAt + ((priority - NORMAL) * requestTimeoutSeconds * 1000) / 2;
}

function laneOf(priority: Priority, key: string | undefined): string {
  return `${priority}${key ?? ''}`;
}

function isBefore<T extends Waiting>(one: Entry<T>, other: Entry<T>): boolean {
  const difference = one.item.turnAt - other.item.turnAt;
  return difference === 0 ? one.order < other.order : difference < 0;
}
