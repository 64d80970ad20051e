/** What servers answer, read the same way whoever wrote it. */

export interface HttpAnswer {
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * The numbers of an answer, row by row: from `{"predictions": [[…]]}`, from the outputs of the Open Inference Protocol in
 * JSON or after it, from bare rows of float32, or from a bare JSON list.
 *
 * @throws Error when it is none of them
 */
export function scoresOf({ headers, body }: HttpAnswer): number[] {
  const headLength = headers['inference-header-content-length'];
  if (headLength !== undefined) return floats(body.subarray(Number(headLength)));
  if (headers['content-type']?.startsWith('application/octet-stream')) return floats(body);
  const document: unknown = JSON.parse(body.toString());
  if (Array.isArray(document)) return numbers(document);
  const { predictions, outputs } = document as { predictions?: unknown[]; outputs?: [{ data: unknown[] }] };
  const found = predictions ?? outputs?.[0]?.data;
  if (!found) throw new Error(`no scores in ${body.toString().slice(0, 200)}`);
  return numbers(found);
}

/** Whether two servers have computed the same; the order of additions may differ. */
export function areSame(some: readonly number[], others: readonly number[]): boolean {
  return (
    some.length === others.length &&
    some.every((score, index) => Math.abs(score - others[index]!) <= 1e-4 * Math.max(1, Math.abs(score)))
  );
}

function numbers(nested: unknown[]): number[] {
  return nested.flat(Number.POSITIVE_INFINITY).map(Number);
}

function floats(bytes: Buffer): number[] {
  return Array.from(new Float32Array(new Uint8Array(bytes).buffer));
}
