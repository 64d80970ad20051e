import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type JsonBody, parseJsonObject } from '../../../../model-server/protocol/json.ts';
import { findNumberLists } from '../../../../model-server/protocol/json-body.ts';
import { packed, unpacked } from '../../../../model-server/protocol/moved-lists.ts';
import type { NumberList } from '../../../../model-server/protocol/number-list.ts';
import { JsonThreads } from '../../../../model-server/serve/json-threads.ts';

/** A body in memory of its own, as one that came in many chunks has it. */
const bodyOf = (value: unknown) => {
  const text = JSON.stringify(value);
  const body = Buffer.from(new ArrayBuffer(Buffer.byteLength(text)));
  body.write(text);
  return body;
};

/** What a tensor's elements are made of. */
const numbersOf = (value: unknown) => Array.from((value as NumberList).takeElements('FP64')!);

test.each(['FP32', 'FP64'] as const)('lists that moved are the lists that were found, as %s', (precision) => {
  const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 });
  const rows = fc.array(fc.record({ x: numbers, y: fc.array(fc.array(fc.integer(), { maxLength: 3 })) }));
  fc.assert(
    fc.property(rows, fc.string(), (instances, other) => {
      const body = bodyOf({ other, instances, padding: ' '.repeat(1024) });
      const found = findNumberLists(body, precision);
      const expected = found.map((list) => ({ ...list, values: list.values.slice() }));
      expect(unpacked(packed(found))).toEqual(expected);
    }),
  );
});

describe('a body', () => {
  const images = (count: number, seed: number) =>
    Array.from({ length: count }, (_, at) => Array.from({ length: 3072 }, (_, i) => (i + at + seed) / 7));

  test('that is small is read at once, and left to its owner', () => {
    const body = bodyOf({ instances: images(1, 0) });
    const read = new JsonThreads(1).read(body, 'FP32', (json) => json);
    expect(read).toBe(body);
  });

  test('that shares its memory with others is read at once', () => {
    const whole = bodyOf({ instances: images(20, 0) });
    const part = whole.subarray(0, whole.length - 1);
    expect(new JsonThreads(1).read(part, 'FP32', (json) => json)).toBe(part);
  });

  test('that is large is read by a thread, which takes its memory', async () => {
    const value = {
      signature_name: 'é',
      instances: images(20, 0.5),
      inputs: { x: [[1, 2.5]], y: [[-3], [0]] },
    };
    const body = bodyOf(value);
    let used: Uint8Array | undefined;
    const reading = new JsonThreads(1).read(body, 'FP32', (json) => {
      used = (json as Exclude<JsonBody, Uint8Array>).bytes;
      const { signature_name, instances, inputs } = parseJsonObject(json);
      const { x, y } = inputs as Record<'x' | 'y', unknown>;
      return [signature_name, numbersOf(instances), numbersOf(x), numbersOf(y)];
    });
    expect(reading).toBeInstanceOf(Promise);
    expect(await reading).toEqual(['é', value.instances.flat(), [1, 2.5], [-3, 0]]);
    expect([body.length, used?.length]).toEqual([0, 0]);
  });

  test('for a model that FP32 is not enough for is read as FP64, and not a second time', async () => {
    const ids = Array.from({ length: 40_000 }, (_, at) => 2 ** 40 + at);
    const reading = new JsonThreads(1).read(bodyOf({ instances: ids }), 'FP64', (json) => {
      const list = parseJsonObject(json)['instances'] as NumberList;
      (json as Exclude<JsonBody, Uint8Array>).bytes.fill(0);
      return Array.from(list.takeElements('INT64')!, Number);
    });
    expect(await reading).toEqual(ids);
  });

  test('that has no numbers, or is no JSON, is refused with the same words as a small one', async () => {
    const threads = new JsonThreads(1);
    for (const text of ['x'.repeat(1 << 20), `{"instances": [${'1, '.repeat(1 << 20)}`]) {
      const body = Buffer.from(new ArrayBuffer(text.length));
      body.write(text);
      const small = text.slice(0, 1000);
      const sentence = /^the body is no JSON: /;
      await expect(threads.read(body, 'FP32', parseJsonObject)).rejects.toThrow(sentence);
      expect(() => parseJsonObject(Buffer.from(small))).toThrow(sentence);
    }
  });

  test('waits for its turn when there are more than threads, and is not mixed up with others', async () => {
    const threads = new JsonThreads(2);
    const seeds = Array.from({ length: 9 }, (_, seed) => seed);
    const read = await Promise.all(
      seeds.map((seed) => {
        const instances = images(10, seed);
        const numbers = threads.read(bodyOf({ instances }), 'FP32', (json) =>
          numbersOf(parseJsonObject(json)['instances']),
        );
        return { instances, numbers };
      }),
    );
    for (const { instances, numbers } of read) expect(await numbers).toEqual(instances.flat());
  });

  test('whose reader fails is that failure, and the thread goes on', async () => {
    const threads = new JsonThreads(1);
    const refused = threads.read(bodyOf({ instances: images(10, 1) }), 'FP32', () => {
      throw new Error('refused');
    });
    await expect(refused).rejects.toThrow('refused');
    const next = threads.read(bodyOf({ instances: images(10, 2) }), 'FP32', (json) =>
      numbersOf(parseJsonObject(json)['instances']),
    );
    expect(await next).toEqual(images(10, 2).flat());
  });
});

test.each([
  ['throws', `throw new Error('out of luck')`, /the thread that read the body died: out of luck/],
  ['ends', 'process.exit(3)', /the thread that read the body died: it ended with status 3/],
])('a thread that %s takes its own request with it, and others get a new one', async (_, act, sentence) => {
  const program = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { ${act}; });`;
  const threads = new JsonThreads(1, new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const large = () => threads.read(bodyOf({ padding: 'x'.repeat(1 << 20) }), 'FP32', () => 'read');
  const requests = [large(), large(), large()];
  for (const request of requests) {
    await expect(request).rejects.toMatchObject({
      kind: 'Unavailable',
      message: expect.stringMatching(sentence),
    });
  }
});

test('a thread that dies at rest harms nobody', async () => {
  const program = `
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ body }) => {
      parentPort.postMessage({ body, values: new Float32Array(0), facts: new Float64Array(0) }, [body]);
      setTimeout(() => { throw new Error('out of luck'); }, 1);
    });`;
  const threads = new JsonThreads(1, new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const read = async () => await threads.read(bodyOf({ padding: 'x'.repeat(1 << 20) }), 'FP32', () => 'read');
  expect(await read()).toBe('read');
  await new Promise((resolve) => setTimeout(resolve, 300));
  // On a busy machine it may die only now, and takes that body with it.
  expect(await read().catch(read)).toBe('read');
});
