/**
 * How long the engine takes for a row, from the runs so far: what waits is worth so much time. Pure.
 */

/** What a run of the past still counts when the next one is over: a single slow one is soon forgotten. */
const REMEMBERED_SHARE = 0.9;
/** More kinds of requests than any model is asked for at a time; whoever sends every shape there is fills no memory. */
const MOST_KINDS = 256;

interface Experience {
  rows: number;
  milliseconds: number;
}

export class RunPace {
  /** By kind, what was run least lately first; then by size, since rows cost less the more of them are in a run. */
  readonly #kinds = new Map<string, Experience[]>();
  #latest = '';

  /** @param kind what takes equally long: a model, its signature, and the shapes of its inputs. */
  took(kind: string, rows: number, milliseconds: number): void {
    const sizes = this.#sizesOf(kind);
    sizes[sizeClass(rows)] ??= { rows: 0, milliseconds: 0 };
    const past = sizes[sizeClass(rows)] as Experience;
    past.rows = past.rows * REMEMBERED_SHARE + rows;
    past.milliseconds = past.milliseconds * REMEMBERED_SHARE + milliseconds;
  }

  /**
   * Milliseconds that rows take which share a run of `runRows`; 0 where no such run is known, and none of half the size
   * either: what smaller ones took says nothing.
   */
  expected(kind: string, rows: number, runRows: number): number {
    const sizes = this.#kinds.get(kind);
    const size = sizeClass(runRows);
    const past = sizes?.[size] ?? sizes?.[size - 1];
    return past ? (past.milliseconds / past.rows) * rows : 0;
  }

  #sizesOf(kind: string): Experience[] {
    const sizes = this.#kinds.get(kind) ?? [];
    if (kind === this.#latest) return sizes;
    this.#latest = kind;
    this.#kinds.delete(kind);
    this.#kinds.set(kind, sizes);
    if (this.#kinds.size > MOST_KINDS) this.#kinds.delete(this.#kinds.keys().next().value as string);
    return sizes;
  }
}

/** Sizes within a factor of two have one pace. */
const sizeClass = (rows: number) => 31 - Math.clz32(rows);
