import { describe, expect, test } from '@jest/globals';
import { fieldsOf, textOf } from '../../../../model-server/engine/protobuf.ts';
import {
  encodeClassification,
  encodeRegression,
  exampleInputs,
} from '../../../../model-server/protocol/classify.ts';
import { decodeExamples } from '../../../../model-server/protocol/example.ts';
import type { NamedTensors, Signature } from '../../../../model-server/protocol/tensor.ts';

/** Features of a serialised `tf.Example`, read by the numbers of its fields. */
function featuresOf(example: Uint8Array): Record<string, unknown> {
  const [features] = [...fieldsOf(example)];
  return Object.fromEntries(
    [...fieldsOf(features!.bytes)].map((entry) => {
      const [name, feature] = [...fieldsOf(entry.bytes)];
      const [list] = [...fieldsOf(feature!.bytes)];
      const values = [...fieldsOf(list!.bytes)];
      const kind = ['', 'bytes', 'floats', 'integers'][list!.number] as string;
      return [
        textOf(name!),
        { [kind]: kind === 'bytes' ? values.map(textOf) : packed(kind, values[0]?.bytes) },
      ];
    }),
  );
}

function packed(kind: string, bytes: Uint8Array = new Uint8Array(0)): (number | bigint)[] {
  if (kind === 'floats') return [...new Float32Array(Uint8Array.from(bytes).buffer)];
  const values: bigint[] = [];
  let [value, shift] = [0n, 0n];
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      values.push(BigInt.asIntN(64, value));
      [value, shift] = [0n, 0n];
    }
  }
  return values;
}

const decode = (text: string) => decodeExamples(Buffer.from(text));

describe('examples', () => {
  test('have floats, integers and bytes as they are written', () => {
    const { signature, examples } = decode(
      '{"signature_name":"s","examples":[{"f":1.0,"g":[1,2.5],"e":1e3,"i":[1,-2],"big":9223372036854775807,"t":"a","b":{"b64":"YmM="},"none":[]}]}',
    );
    expect(signature).toBe('s');
    expect(examples.map(featuresOf)).toEqual([
      {
        f: { floats: [1] },
        g: { floats: [1, 2.5] },
        e: { floats: [1000] },
        i: { integers: [1n, -2n] },
        big: { integers: [9223372036854775807n] },
        t: { bytes: ['a'] },
        b: { bytes: ['bc'] },
        none: { bytes: [] },
      },
    ]);
  });

  test('share the context, and outrank it', () => {
    const { examples } = decode('{"context":{"a":1,"b":2},"examples":[{"b":3},{}]}');
    expect(examples.map(featuresOf)).toEqual([
      { a: { integers: [1n] }, b: { integers: [3n] } },
      { a: { integers: [1n] }, b: { integers: [2n] } },
    ]);
  });

  test.each([
    ['{}', /examples: nothing found/],
    ['{"examples":[]}', /examples: a list of 0 found/],
    ['{"examples":[1]}', /examples\[0\]: the number 1 found, an object expected/],
    ['{"examples":[1.5]}', /examples\[0\]: the number 1.5 found, an object expected/],
    ['{"examples":[{"x":true}]}', /examples\[0\]\.x: a boolean found, values of one kind/],
    ['{"examples":[{"x":[1,"a"]}]}', /examples\[0\]\.x\[0\]: the number 1 found, values of one kind/],
    ['{"examples":[{"x":["a",1.5]}]}', /examples\[0\]\.x\[1\]: the number 1.5 found/],
    ['{"examples":[{"x":null}]}', /x: null found/],
    ['{"examples":[{"x":[[1]]}]}', /x\[0\]: a list of 1 found/],
    ['{"examples":[{"x":1e300}]}', /FP32/],
    ['{"examples":[{"x":9223372036854775808}]}', /64 bits/],
    ['{"examples":[{"x":NaN}]}', /NaN or infinite/],
    ['{"examples":[{"x":1}],"instances":[1]}', /"instances"/],
    ['{"examples":[{"x":{"b64":"!"}}]}', /x: an object found/],
    ['{"context":1,"examples":[{}]}', /context: the number 1 found/],
    ['{"signature_name":1,"examples":[{}]}', /signature_name: the number 1 found/],
    ['[', /no JSON/],
    ['\xff', /JSON/],
  ])('%s is refused', (text, sentence) =>
    expect(() => decodeExamples(Buffer.from(text, 'latin1'))).toThrow(sentence),
  );
});

const signature = (name: string, method: string): Signature => ({
  ...{ name, methodName: `tensorflow/serving/${method}` },
  inputs: [{ name: 'inputs', datatype: 'BYTES', shape: [-1], tensorName: 'i:0' }],
  outputs: [],
});

describe('results', () => {
  test('come from signatures that were made for the method', () => {
    const all = [signature('p', 'predict'), signature('r', 'regress')];
    expect(exampleInputs('regress', all[1]!, [new Uint8Array(1)], all).get('inputs')).toMatchObject({
      shape: [1],
    });
    expect(() => exampleInputs('regress', all[0]!, [], all)).toThrow(
      'signature_name: signature "p" has the method "tensorflow/serving/predict", and :regress needs "tensorflow/serving/regress"; name one that has it: "r"',
    );
    expect(() => exampleInputs('classify', all[1]!, [], all)).toThrow(/use :predict with this model/);
  });

  const floats = (...values: number[]) => Float32Array.from(values);
  const outputs = (
    tensors: Record<string, { shape: number[]; data: Float32Array | Uint8Array[] }>,
  ): NamedTensors =>
    new Map(
      Object.entries(tensors).map(([name, { shape, data }]) => [
        name,
        { datatype: Array.isArray(data) ? 'BYTES' : 'FP32', shape, data } as never,
      ]),
    );

  test('of regressions are one number for each example', () => {
    const column = outputs({ outputs: { shape: [2, 1], data: floats(1.5, Number.NaN) } });
    expect(encodeRegression(column, 2)).toBe('{"results":[1.5,null]}');
    expect(() => encodeRegression(column, 1)).toThrow(/shape \[2,1\]/);
    expect(() =>
      encodeRegression(outputs({ outputs: { shape: [2, 2], data: floats(1, 2, 3, 4) } }), 2),
    ).toThrow();
  });

  test('of classifications are labels and scores', () => {
    const scores = { shape: [2, 2], data: floats(0.5, 0.25, 1, 0) };
    const classes = { shape: [2, 2], data: ['a', 'b', 'c', 'd'].map((text) => Buffer.from(text)) };
    expect(encodeClassification(outputs({ scores, classes }), 2)).toBe(
      '{"results":[[["a",0.5],["b",0.25]],[["c",1.0],["d",0.0]]]}',
    );
    expect(encodeClassification(outputs({ scores }), 2)).toBe(
      '{"results":[[["",0.5],["",0.25]],[["",1.0],["",0.0]]]}',
    );
    expect(encodeClassification(outputs({ classes }), 2)).toContain('["a",0.0]');
    expect(() =>
      encodeClassification(outputs({ scores, classes: { ...classes, shape: [1, 4] } }), 2),
    ).toThrow(/\[1,4\]/);
    expect(() => encodeClassification(outputs({}), 2)).toThrow(/nothing/);
  });
});
