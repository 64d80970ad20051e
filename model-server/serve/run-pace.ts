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
  /** By kind, the one that was run least lately first. */
  readonly #kinds = new Map<string, Experience>();

  /** @param kind what takes equally long: a model, its signature, and the shapes of its inputs. */
  took(kind: string, rows: number, milliseconds: number): void {
    const past = this.#kinds.get(kind) ?? { rows: 0, milliseconds: 0 };
    this.#kinds.delete(kind);
    this.#kinds.set(kind, {
      rows: past.rows * REMEMBERED_SHARE + rows,
      milliseconds: past.milliseconds * REMEMBERED_SHARE + milliseconds,
    });
    if (this.#kinds.size > MOST_KINDS) this.#kinds.delete(this.#kinds.keys().next().value as string);
  }

  /** Milliseconds; 0 for what has never been run. */
  expected(kind: string, rows: number): number {
    const past = this.#kinds.get(kind);
    return past ? (past.milliseconds / past.rows) * rows : 0;
  }
}
