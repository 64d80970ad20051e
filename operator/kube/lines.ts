const newline = 0x0a;

/** Thrown when a line grows beyond its bound; the rest of the stream is lost. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError';
}

/**
 * Splits a stream of bytes into lines, however the bytes were cut into chunks. Empty lines are left out; a last
 * line without an end is left out too, since it may be half of one.
 *
 * @param maxBytes bound on one line, so that a server that never ends a line cannot fill the memory
 * @throws LineTooLongError
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let partsBytes = 0;
  const keep = (part: Uint8Array) => {
    partsBytes += part.length;
    if (partsBytes > maxBytes) throw new LineTooLongError(`a line is longer than ${maxBytes} bytes`);
    if (part.length > 0) parts.push(part);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      keep(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      partsBytes = 0;
      if (line !== '') yield line;
    }
    keep(chunk.subarray(start));
  }
}
