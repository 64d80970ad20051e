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
  /** By kind and size, what was run least lately first: rows cost less the more of them are in a run. */
  readonly #kinds = new Map<string, Experience>();

  /** @param kind what takes equally long: a model, its signature, and the shapes of its inputs. */
  took(kind: string, rows: number, milliseconds: number): void {
    const name = nameOf(kind, sizeClass(rows));
    const past = this.#kinds.get(name) ?? { rows: 0, milliseconds: 0 };
    this.#kinds.delete(name);
    this.#kinds.set(name, {
      rows: past.rows * REMEMBERED_SHARE + rows,
      milliseconds: past.milliseconds * REMEMBERED_SHARE + milliseconds,
    });
    if (this.#kinds.size > MOST_KINDS) this.#kinds.delete(this.#kinds.keys().next().value as string);
  }

  /**
   * Milliseconds that rows take which share a run of `runRows`; 0 where no such run is known, and none of half the size
   * either: what smaller ones took says nothing.
   */
  expected(kind: string, rows: number, runRows: number): number {
    const size = sizeClass(runRows);
    const past = this.#kinds.get(nameOf(kind, size)) ?? this.#kinds.get(nameOf(kind, size - 1));
    return past ? (past.milliseconds / past.rows) * rows : 0;
  }
}

/** Sizes within a factor of two have one pace. */
const sizeClass = (rows: number) => Math.floor(Math.log2(rows));
const nameOf = (kind: string, size: number) => `${size} ${kind}`;
