import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { digestFile, sourceDigest } from '../../../../model-server/assembly/generate.ts';
import { decodeInfer } from '../../../../model-server/protocol/infer.ts';
import { extractNumberLists, findNumberLists } from '../../../../model-server/protocol/json-body.ts';
import {
  findNumberList,
  NumberList,
  type Precision,
  precisionFor,
} from '../../../../model-server/protocol/number-list.ts';
import { decodePredict } from '../../../../model-server/protocol/predict.ts';
import type { Datatype, NamedTensors, Signature } from '../../../../model-server/protocol/tensor.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (text: string, precision: Precision = 'FP32') => {
  const bytes = utf8(text);
  const found = findNumberList(bytes, 0, precision);
  return found && { list: NumberList.of(bytes, found), end: found.end };
};

/** Numbers as programs write them: shortest, fixed, with exponents, as a double that once was an FP32. */
const written = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value.toFixed(4)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential(20)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toPrecision(17)),
  fc
    .tuple(
      fc.stringMatching(/^-?(0|[1-9]\d{0,24})$/),
      fc.stringMatching(/^(\.\d{1,24})?([eE][+-]?\d{1,3})?$/),
    )
    .map((parts) => parts.join('')),
  // The middle of two neighbouring FP32, and what lies beside it.
  fc.tuple(fc.float({ min: 1, max: 2, noNaN: true }), fc.constantFrom(-1, 0, 1)).map(([value, side]) => {
    const middle = value + 2 ** -24 + side * 2 ** -52;
    return middle.toPrecision(17);
  }),
);

const single = (text: string) => Math.fround(JSON.parse(text));

test('every number is what JSON.parse makes of it, as FP32 and as FP64', () => {
  fc.assert(
    fc.property(fc.array(written, { minLength: 1 }), (numbers) => {
      const text = `[${numbers.join(' ,\n')}]`;
      const { list, end } = read(text)!;
      expect(end).toBe(text.length);
      expect(list.shape).toEqual([numbers.length]);
      expect(list.plain()).toEqual(JSON.parse(text));
      const floats = list.takeElements('FP32')?.slice();
      if (numbers.every((each) => Math.abs(JSON.parse(each)) <= 3.4028234663852886e38)) {
        expect(Array.from(floats!)).toEqual(numbers.map(single));
      } else expect(floats).toBeUndefined();
      const doubles = list.takeElements('FP64');
      if (JSON.parse(text).every(Number.isFinite)) expect(Array.from(doubles!)).toEqual(JSON.parse(text));
      else expect(doubles).toBeUndefined();
    }),
    { numRuns: 2000 },
  );
});

test('whatever numbers are kept as, the elements are the same', () => {
  const datatypes = [
    'FP32',
    'FP64',
    'INT64',
    'UINT64',
    'INT32',
    'UINT32',
    'INT16',
    'INT8',
    'UINT8',
    'FP16',
    'BOOL',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...(datatypes as Datatype[])), fc.array(written), (datatype, numbers) => {
      const text = `[${numbers.join(',')}]`;
      const [single, double] = (['FP32', 'FP64'] as const).map((precision) =>
        read(text, precision)?.list.takeElements(datatype),
      );
      expect(double).toEqual(single);
    }),
    { numRuns: 2000 },
  );
});

test.each<[string, Datatype[], Precision]>([
  ['an image', ['FP32'], 'FP32'],
  ['bytes of an image', ['UINT8'], 'FP32'],
  ['numbers of sixty-four bits', ['INT64'], 'FP64'],
  ['doubles beside a text', ['BYTES', 'FP64'], 'FP64'],
  ['an image and its number', ['INT64', 'FP32'], 'FP32'],
  ['nothing', [], 'FP32'],
])('inputs that are %s', (_, datatypes, precision) => {
  expect(precisionFor(datatypes.map((datatype) => ({ datatype })))).toBe(precision);
});

describe('texts longer than the window through which they are read', () => {
  /** What is read of numbers, and what `JSON.parse` says of them. */
  function bothOf(text: string): unknown[] {
    const found = read(text)!;
    const values: number[] = JSON.parse(text).flat(Infinity);
    return [
      [found.end, Array.from(found.list.takeElements('FP32')!), Array.from(found.list.takeElements('FP64')!)],
      [text.length, values.map(Math.fround), values],
    ];
  }

  test('numbers at every place of its ends', () => {
    for (let before = 0; before < 160; before++) {
      for (const size of [2048, 16384, 65536]) {
        const text = `[${' '.repeat(size - before)}-0.12345678901234567e-3,0.1,12,${'7'.repeat(17)}]`;
        const [found, expected] = bothOf(text);
        expect(found).toEqual(expected);
      }
    }
  });

  test('rows of any length', () => {
    const row = fc.integer({ min: 1, max: 40 });
    const space = fc.constantFrom('', ' ', '\n  ');
    fc.assert(
      fc.property(
        row,
        row,
        space,
        fc.array(written, { minLength: 1, maxLength: 7 }),
        (rows, length, gap, some) => {
          const numbers = Array.from({ length }, (_, index) => some[index % some.length]).join(`,${gap}`);
          const text = `[${Array.from({ length: rows }, () => `[${numbers}]`).join(`,${gap}`)}]`;
          fc.pre(some.every((each) => Math.abs(JSON.parse(each)) <= 3.4e38));
          expect(read(text)!.list.shape).toEqual([rows, length]);
          const [found, expected] = bothOf(text);
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('thousands of numbers with so many digits that each is read on its own', () => {
    const text = `[${Array.from({ length: 5000 }, (_, index) => `${index}.${'123456789'.repeat(5)}`)}]`;
    const [found, expected] = bothOf(text);
    expect(found).toEqual(expected);
  });

  test('a number longer than a window is left to JSON.parse where it does not fit', () => {
    expect(bothOf(`[1.${'5'.repeat(1000)}]`)[0]).toEqual([
      1004,
      [Math.fround(1.5555555555555556)],
      [1.5555555555555556],
    ]);
    expect(read(`[1.${'5'.repeat(3000)}]`)).toBeUndefined();
  });

  test('what came before in the memory is not read again', () => {
    read(`[${'9'.repeat(1000)}]`);
    expect(read('[1.5')).toBeUndefined();
    expect(Array.from(read('[2]')!.list.takeElements('FP32')!)).toEqual([2]);
  });
});

test('the module is compiled from its source: node model-server/assembly/generate.ts', () => {
  expect(readFileSync(digestFile, 'utf8')).toBe(sourceDigest());
});

test('integers are whole and in range, or none at all', () => {
  expect(read('[1,-2,3.0,4e2]')!.list.takeElements('INT32')).toEqual(Int32Array.of(1, -2, 3, 400));
  expect(read('[1,2.5]')!.list.takeElements('INT32')).toBeUndefined();
  expect(read('[256]')!.list.takeElements('UINT8')).toBeUndefined();
  expect(read('[9007199254740991]')!.list.takeElements('INT64')).toEqual(BigInt64Array.of(9007199254740991n));
  expect(read('[9007199254740993]')!.list.takeElements('INT64')).toBeUndefined();
  expect(Object.is(read('[-0]')!.list.takeElements('FP32')![0], -0)).toBe(true);
});

test('lists have the shape of their nesting', () => {
  const { list } = read('[[[1,2],[3,4],[5,6]]]')!;
  expect(list.shape).toEqual([1, 3, 2]);
  expect(Array.from(list.takeElements('FP32')!)).toEqual([1, 2, 3, 4, 5, 6]);
});

test.each([
  '1, 2]',
  '[]',
  '[[]]',
  '[1',
  '[1,]',
  '[,1]',
  '[1 2]',
  '[01]',
  '[-]',
  '[1.]',
  '[.5]',
  '[+1]',
  '[1e]',
  '[NaN]',
  '[null]',
  '["1"]',
  '[[1],[2,3]]',
  '[1,[2]]',
  '[[1],2]',
  '[{"b64":""}]',
  `${'['.repeat(17)}1${']'.repeat(17)}`,
])('%s is left to JSON.parse', (text) => {
  expect(read(text)).toBeUndefined();
});

const signature = (...datatypes: Datatype[]): Signature => ({
  ...{ name: 'serving_default', methodName: '', outputs: [] },
  inputs: datatypes.map((datatype, i) => ({ name: 'xyz'[i]!, datatype, shape: null, tensorName: '' })),
});
const padding = ' '.repeat(1024);
/** What decoding gives or says, of a body as it is and of one so large that lists are taken out. */
function bothWays(decode: (body: Uint8Array) => NamedTensors, text: string): unknown[] {
  return [text, text + padding].map((body) => {
    try {
      return [...decode(utf8(body))].map(([name, { datatype, shape, data }]) => [
        ...[name, datatype, Array.from(shape), Array.from(data as Float32Array)],
      ]);
    } catch (error) {
      return (error as Error).message;
    }
  });
}

describe('a request means the same, whether its lists are taken out or not', () => {
  const lists = fc.oneof(
    fc.array(fc.oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.integer())),
    fc.array(fc.array(fc.integer({ min: -3, max: 300 }), { maxLength: 3 }), { maxLength: 4 }),
    fc.array(fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.constant({ x: [1, 2] }))),
    fc.constantFrom(1, 'text', null, { b64: 'AAAA' }),
  );
  const datatypes = fc.constantFrom<Datatype>(
    'FP32',
    'FP64',
    'FP16',
    'INT32',
    'INT64',
    'UINT8',
    'BOOL',
    'BYTES',
  );

  test('TensorFlow Serving', () => {
    const request = fc.oneof(
      fc.record({ instances: lists }),
      fc.record({ inputs: lists }),
      fc.record({ inputs: fc.record({ x: lists, y: lists }) }),
      fc.record({ instances: fc.array(fc.record({ x: lists, y: lists }), { minLength: 1, maxLength: 3 }) }),
      fc.record({ instances: fc.record({ x: lists }) }),
      fc.record({ signature_name: lists, instances: lists, inputs: lists }),
    );
    fc.assert(
      fc.property(request, datatypes, fc.boolean(), (body, datatype, isNamed) => {
        const taken = isNamed ? signature(datatype, datatype) : signature(datatype);
        const decode = (bytes: Uint8Array) => decodePredict(bytes, 'serving_default', () => taken).inputs;
        const [plain, large] = bothWays(decode, JSON.stringify(body));
        expect(large).toEqual(plain);
      }),
      { numRuns: 2000 },
    );
  });

  test('Open Inference Protocol', () => {
    const input = fc.record({
      name: fc.oneof(fc.constantFrom('x', 'y'), lists),
      datatype: fc.oneof(datatypes, lists),
      shape: fc.oneof(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }), lists),
      data: lists,
      parameters: fc.record({ more: lists }),
    });
    const request = fc.oneof(
      fc.record({ inputs: fc.array(input, { maxLength: 2 }) }),
      fc.record({ inputs: lists, outputs: lists }),
      fc.record({ inputs: fc.record({ data: lists }) }),
    );
    fc.assert(
      fc.property(request, (body) => {
        const decode = (bytes: Uint8Array) => decodeInfer(bytes, undefined, signature('FP32')).inputs;
        const [plain, large] = bothWays(decode, JSON.stringify(body));
        expect(large).toEqual(plain);
      }),
      { numRuns: 2000 },
    );
  });
});

test('lists are taken out where tensors stand, and only there', () => {
  const found = (text: string) => {
    const body = utf8(text + padding);
    return extractNumberLists(body, findNumberLists(body))?.lists.map((list) => list.plain());
  };
  expect(found('{"instances": [[1, 2], [3, 4]]}')).toEqual([
    [
      [1, 2],
      [3, 4],
    ],
  ]);
  expect(found('{"inputs": {"x": [1], "y\\"": [2]}}')).toEqual([[1], [2]]);
  expect(found('{"instances": [{"x": [1], "y": 2}, {"x": [3]}]}')).toEqual([[1], [3]]);
  expect(found('{"inputs": [{"name": "x", "shape": [1, 2], "data": [3, 4]}]}')).toEqual([[3, 4]]);
  expect(found('{"other": [1], "parameters": {"inputs": [2]}, "outputs": [{"data": [3]}]}')).toBeUndefined();
  expect(
    found('{"inputs": [{"name": "data", "shape": [1]}], "x": "{\\"instances\\": [1]}"}'),
  ).toBeUndefined();
});

test.each(['\ue001', '\\ue001', '\\uE001'])(
  'what the mark %j stands for is a text when a client writes it',
  (mark) => {
    const texts = [`${mark}0`, `${mark}1`, `${mark}-1`, `${mark}x`, mark].map((text) => `"${text}"`);
    const body = `{"inputs":{"x":[${texts.join(',')}],"y":[1]}}`;
    const decode = (bytes: Uint8Array) =>
      decodePredict(bytes, 'serving_default', () => signature('BYTES', 'FP32')).inputs;
    const [plain, large] = bothWays(decode, body);
    expect(large).toEqual(plain);
  },
);
