/** Which models requests are using: a model that is replaced stays in memory until its last answer. */
export class ModelUses {
  readonly #users = new Map<string, number>();
  readonly #waiting = new Map<string, () => void>();

  /** Keeps a model in memory while a request uses it. @returns the call that ends that; once. */
  use({ id }: { readonly id: string }): () => void {
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#users.get(id) ?? 1) - 1;
      if (left > 0) {
        this.#users.set(id, left);
        return;
      }
      this.#users.delete(id);
      const free = this.#waiting.get(id);
      this.#waiting.delete(id);
      free?.();
    };
  }

  isUsed(id: string): boolean {
    return this.#users.has(id);
  }

  /** Calls back once nobody uses the model, which may be now. One caller per model. */
  whenFree(id: string, free: () => void): void {
    if (this.#users.has(id)) this.#waiting.set(id, free);
    else free();
  }
}
