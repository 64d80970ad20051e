/** The virtual clock: what is due next happens next, and no time passes otherwise. */

interface Item {
  readonly atMs: number;
  /** Things of the same moment happen in the order in which they were planned. */
  readonly order: number;
  readonly run: () => void;
}

export class Agenda {
  /** Milliseconds since the world began. */
  nowMs = 0;
  #order = 0;
  /** A binary heap: every item is due no later than its children at 2i + 1 and 2i + 2. */
  readonly #heap: Item[] = [];

  after(delayMs: number, run: () => void): void {
    this.#push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run });
  }

  /** Lets happen what is due until then, what is planned meanwhile too. */
  runUntil(endMs: number): void {
    for (;;) {
      const first = this.#heap[0];
      if (!first || first.atMs > endMs) break;
      this.#pop();
      this.nowMs = first.atMs;
      first.run();
    }
    this.nowMs = endMs;
  }

  #push(item: Item): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(item, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Item, b: Item): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}
