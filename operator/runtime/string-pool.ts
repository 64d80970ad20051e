/**
 * One copy of equal texts. Thousands of objects of one kind say the same in most of their fields, and what is read from
 * JSON is a text of its own each time. Of a hub with thousands of services, texts were a third of the heap.
 */
const MOST_TEXTS = 8192;
/** Longer ones are sentences with names in them. */
const LONGEST = 128;

export class StringPool {
  readonly #texts = new Map<string, string>();

  /** An equal text, the one that was given before where that is known. */
  one(text: string): string {
    if (text.length > LONGEST) return text;
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    // What stands in many objects is soon back; names and identities are not missed.
    if (this.#texts.size >= MOST_TEXTS) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}
