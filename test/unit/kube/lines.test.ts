import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { splitLines } from '../../../operator/kube/lines.ts';

async function collect(chunks: Uint8Array[], maxBytes = 1000): Promise<string[]> {
  async function* stream() {
    yield* chunks;
  }
  const found: string[] = [];
  for await (const line of splitLines(stream(), maxBytes)) found.push(line);
  return found;
}

/** Cuts bytes at these positions, also in the middle of a character. */
function cut(bytes: Uint8Array, positions: number[]): Uint8Array[] {
  const ends = [...positions.map((position) => position % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test('lines are the same however the bytes are cut', async () => {
  const line = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !text.includes('\n'));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (texts, positions) => {
      const whole = new TextEncoder().encode(texts.map((text) => `${text}\n`).join(''));
      const expected = texts.map((text) => Buffer.from(text).toString()); // lone surrogates become U+FFFD
      expect(await collect(cut(whole, positions))).toEqual(expected);
    }),
  );
});

test('empty lines, and a last line without its end, are left out', async () => {
  expect(await collect([Buffer.from('\n\na\n\nb\nhalf of one')])).toEqual(['a', 'b']);
});

test('a line beyond the bound is refused, however it comes', async () => {
  const long = Buffer.from('x'.repeat(101));
  await expect(collect([long], 100)).rejects.toThrow('longer than 100 bytes');
  await expect(collect(cut(long, [10, 50, 90]), 100)).rejects.toThrow('longer than 100 bytes');
  expect(await collect([Buffer.from(`${'x'.repeat(100)}\n${'y'.repeat(100)}\n`)], 100)).toHaveLength(2);
});
