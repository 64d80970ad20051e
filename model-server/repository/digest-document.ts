/** What `spec.model.digest` is the SHA-256 of, and what is signed: the lines `<SHA-256 of the file>  <path>\n`. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';

/** Long enough to be read quickly; hashed in about a millisecond. */
const CHUNK_BYTES = 1 << 20;

/** @param paths below the directory, sorted by their bytes. */
export async function digestDocument(
  directory: string,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  let document = '';
  for (const path of paths) {
    const content = createHash('sha256');
    const options = { highWaterMark: CHUNK_BYTES, ...(signal && { signal }) };
    for await (const chunk of createReadStream(join(directory, path), options)) {
      content.update(chunk as Buffer);
    }
    document += `${content.digest('hex')}  ${path}\n`;
  }
  return document;
}
