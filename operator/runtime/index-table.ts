/**
 * Finds objects by a value that many of them may share. Objects are known by id; an id can be filed under any
 * number of values, and the values are remembered, so that taking it out needs no look at the object.
 */
export class IndexTable {
  readonly #idsByValue = new Map<string, Set<string>>();
  readonly #valuesById = new Map<string, readonly string[]>();

  /** Files an id under exactly these values. */
  file(id: string, values: readonly string[]): void {
    this.unfile(id);
    if (values.length === 0) return;
    this.#valuesById.set(id, values);
    for (const value of values) {
      const ids = this.#idsByValue.get(value);
      if (ids) ids.add(id);
      else this.#idsByValue.set(value, new Set([id]));
    }
  }

  unfile(id: string): void {
    for (const value of this.#valuesById.get(id) ?? []) {
      const ids = this.#idsByValue.get(value);
      ids?.delete(id);
      if (ids?.size === 0) this.#idsByValue.delete(value);
    }
    this.#valuesById.delete(id);
  }

  ids(value: string): Iterable<string> {
    return this.#idsByValue.get(value) ?? [];
  }
}
