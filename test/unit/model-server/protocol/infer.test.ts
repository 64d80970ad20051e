import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ProtocolError } from '../../../../model-server/protocol/errors.ts';
import { decodeInfer, encodeInfer } from '../../../../model-server/protocol/infer.ts';
import {
  type Datatype,
  datatypes,
  type Signature,
  type Tensor,
} from '../../../../model-server/protocol/tensor.ts';
import { said, tensorOf, tensors } from './tensors.ts';

const signature: Signature = {
  name: 'serving_default',
  methodName: '',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2], tensorName: 'x:0' }],
  outputs: ['y', 'z'].map((name) => ({ name, datatype: 'FP32', shape: [-1], tensorName: `${name}:0` })),
};
const body = (request: unknown) =>
  Buffer.from(typeof request === 'string' ? request : JSON.stringify(request));
const decode = (request: unknown, length?: string) => decodeInfer(body(request), length, signature);
const input = (more: object) => ({
  inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2], ...more }],
});

function refusal(bytes: Uint8Array, length?: string): string {
  try {
    decodeInfer(bytes, length, signature);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    expect((error as ProtocolError).status).toBe(400);
    return (error as ProtocolError).message;
  }
}

/** A response read back as if it were a request. */
function roundTrip(tensor: Tensor, binary: boolean): Tensor {
  const request = { id: 'a', outputs: undefined, isBinary: binary };
  const { json, raw, jsonLength } = encodeInfer(
    { name: 'm', version: '1' },
    request,
    new Map([['x', tensor]]),
  );
  expect(JSON.parse(json)).toMatchObject({ model_name: 'm', model_version: '1', id: 'a' });
  // Not by way of JSON.stringify, which writes -0 as 0.
  const text = json.replace('"outputs":', '"inputs":');
  const length = binary ? String(Buffer.byteLength(text)) : undefined;
  expect(jsonLength).toBe(binary ? Buffer.byteLength(json) : undefined);
  const { inputs } = decodeInfer(Buffer.concat([Buffer.from(text), ...raw]), length, signature);
  return inputs.get('x') as Tensor;
}

describe('what is written is read as the same', () => {
  test.each([...datatypes])('%s as JSON', (datatype: Datatype) => {
    fc.assert(
      fc.property(tensors(datatype, { json: true }), (tensor) => {
        expect(said(roundTrip(tensor, false))).toEqual(said(tensor));
      }),
    );
  });
  test.each([...datatypes])('%s as raw bytes', (datatype: Datatype) => {
    fc.assert(
      fc.property(tensors(datatype, { json: false }), (tensor) => {
        expect(said(roundTrip(tensor, true))).toEqual(said(tensor));
      }),
    );
  });
});

describe('requests', () => {
  test('nested or flat, with id, outputs and parameters', () => {
    const nested = decode({
      id: '42',
      ...input({ data: [[1, 2]] }),
      outputs: [{ name: 'z' }],
      parameters: { a: 1 },
    });
    expect(nested).toMatchObject({ id: '42', isBinary: false });
    expect([...(nested.outputs ?? [])]).toEqual([['z', false]]);
    expect(nested.inputs).toEqual(decode(input({})).inputs);
  });

  test.each([
    ['FP32', 'NaN', 'the number NaN found, a number that FP32 holds expected; fill in missing values'],
    [
      'FP64',
      '-Infinity',
      'the number -Infinity found, a number that FP64 holds expected; fill in missing values',
    ],
    ['INT32', 'NaN', 'the number NaN found, a whole number from -2147483648 to 2147483647 (INT32) expected'],
    ['BYTES', 'NaN', 'the number NaN found, a string'],
  ])('an element of %s that Python writes as %s is refused where it stands', (datatype, word, sentence) => {
    const json = `{"id":"NaN","inputs":[{"name":"x","shape":[2],"datatype":"${datatype}","data":[${datatype === 'BYTES' ? '"NaN"' : '0'},${word}]}]}`;
    expect(refusal(body(json))).toContain(`inputs[0].data[1]: ${sentence}`);
  });

  test('raw tensors lie behind the JSON in the order of the inputs', () => {
    const part = (name: string, size: number) => ({
      name,
      shape: [1],
      datatype: 'INT32',
      parameters: { binary_data_size: size },
    });
    const json = JSON.stringify({
      inputs: [part('a', 4), part('b', 4)],
      parameters: { binary_data_output: true },
    });
    const request = decodeInfer(
      Buffer.concat([Buffer.from(json), Buffer.from([1, 0, 0, 0, 255, 255, 255, 255])]),
      String(json.length),
      signature,
    );
    expect([...request.inputs.values()].map(({ data }) => Array.from(data as Int32Array))).toEqual([
      [1],
      [-1],
    ]);
    expect(request.isBinary).toBe(true);
  });

  test('a body without JSON is the one input, and is answered in kind', () => {
    const request = decodeInfer(Buffer.from(new Float32Array([1, 2, 3, 4]).buffer), '0', signature);
    expect(request.inputs.get('x')).toEqual(tensorOf('FP32', [2, 2], [1, 2, 3, 4]));
    expect(request.isBinary).toBe(true);
    expect(refusal(Buffer.alloc(9), '0')).toContain('inputs[0] "x": 9 bytes found, 8 expected');
  });
});

describe('what is wrong is said with its path', () => {
  test.each<[string, unknown, string]>([
    ['no JSON', '{"inputs":[', 'the body is no JSON: '],
    ['nothing', '', 'the body is no JSON: '],
    ['a list', '[]', 'the body is a list of 0, a JSON object was expected'],
    ['no inputs', '{}', 'inputs: nothing found, a list of at least one input expected'],
    ['an input that is none', { inputs: [1] }, 'inputs[0]: the number 1 found, an object expected'],
    ['no name', { inputs: [{}] }, 'inputs[0].name: nothing found, a string expected'],
    [
      'a name twice',
      { inputs: [input({}).inputs[0], input({}).inputs[0]] },
      'inputs[1].name: "x" is given twice',
    ],
    [
      'a datatype that is none',
      input({ datatype: 'float32' }),
      'inputs[0].datatype: "float32" found, one of BOOL',
    ],
    [
      'a shape that is none',
      input({ shape: [1, -2] }),
      'inputs[0].shape[1]: the number -2 found, a whole number',
    ],
    [
      'a shape beyond all memory',
      input({ shape: [2 ** 30, 2 ** 30] }),
      'inputs[0].shape: [1073741824,1073741824] is',
    ],
    [
      'a giant claim',
      input({ shape: [2 ** 40] }),
      'inputs[0].data: 2 elements found, 1099511627776 expected',
    ],
    ['no data', input({ data: undefined }), 'inputs[0].data: nothing found, a list expected'],
    ['too few', input({ data: [1] }), 'inputs[0].data: 1 elements found, 2 expected for shape [1,2]'],
    [
      'nested otherwise',
      input({ data: [[1], [2]] }),
      'inputs[0].data: a list of 2 found, a list of 1 expected',
    ],
    [
      'ragged',
      input({ shape: [2, 2], data: [[1, 2], [3]] }),
      'inputs[0].data[1]: a list of 1 found, a list of 2',
    ],
    ['null', input({ data: [null, 1] }), 'inputs[0].data[0]: null found, a number that FP32 holds expected'],
    [
      'a text',
      input({ data: [1, '2'] }),
      'inputs[0].data[1]: a string found, a number that FP32 holds expected',
    ],
    ['too large for FP32', input({ data: [1, 1e39] }), 'inputs[0].data[1]: the number 1e+39 found'],
    [
      'too large for any',
      '{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1e999]}]}',
      'the number Infinity',
    ],
    [
      'a fraction',
      input({ datatype: 'INT8', data: [1, 1.5] }),
      'the number 1.5 found, a whole number from -128 to 127',
    ],
    [
      'out of range',
      input({ datatype: 'UINT8', data: [256, 1] }),
      'the number 256 found, a whole number from 0 to 255',
    ],
    [
      'beyond 2^53',
      input({ datatype: 'INT64', data: [1, 2 ** 53] }),
      'from -9007199254740991 to 9007199254740991',
    ],
    [
      'an output that is none',
      { ...input({}), outputs: [{ name: 'w' }] },
      'outputs[0].name: "w" is no output',
    ],
    ['an id that is none', { ...input({}), id: 1 }, 'id: the number 1 found, a string expected'],
    [
      'a raw size without raw bytes',
      input({ data: undefined, parameters: { binary_data_size: 8 } }),
      '8 bytes announced',
    ],
    ['both kinds of data', input({ parameters: { binary_data_size: 8 } }), 'exclude each other'],
  ])('%s', (_, request, sentence) => {
    expect(refusal(body(request))).toContain(sentence);
  });

  test.each(['-1', '1e3', 'x', '999', ''])('a header length of %j', (length) => {
    expect(refusal(body(input({})), length)).toContain('Inference-Header-Content-Length');
  });

  test('deep nesting, in data and elsewhere', () => {
    const deep = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
    for (const depth of [17, 10_000, 1_000_000]) {
      expect(
        refusal(body(`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":${deep(depth)}}]}`)),
      ).toMatch(/^(inputs\[0\]|the body)/);
      expect(refusal(body(`{"inputs":${deep(depth)}}`))).toMatch(/^(inputs|the body)/);
    }
  });

  test('a message never grows with what was sent', () => {
    const long = 'n'.repeat(100_000);
    for (const request of [
      input({ name: long, data: [] }),
      input({ datatype: long }),
      { ...input({}), outputs: [{ name: long }] },
      { inputs: [input({ name: long }).inputs[0], input({ name: long }).inputs[0]] },
      long,
    ]) {
      expect(refusal(body(request)).length).toBeLessThan(400);
    }
  });
});

describe('answers', () => {
  const outputs = new Map([
    ['y', tensorOf('FP32', [4], [0.1, 1, Number.NaN, 1e-10])],
    ['z', tensorOf('INT64', [1], [2n ** 62n])],
  ]);
  const encode = (wanted?: Map<string, boolean>) =>
    encodeInfer({ name: 'm"', version: '3' }, { id: undefined, outputs: wanted, isBinary: false }, outputs);

  test('have the digits that are needed, and null for what JSON does not have', () => {
    expect(encode().json).toBe(
      '{"model_name":"m\\"","model_version":"3","outputs":[' +
        '{"name":"y","shape":[4],"datatype":"FP32","data":[0.1,1.0,null,1e-10]},' +
        '{"name":"z","shape":[1],"datatype":"INT64","data":[4611686018427387904]}]}',
    );
  });

  test('hold what was asked for, in that order, each as asked', () => {
    const { json, raw } = encode(
      new Map([
        ['z', true],
        ['y', false],
      ]),
    );
    expect(JSON.parse(json).outputs).toMatchObject([
      { name: 'z', parameters: { binary_data_size: 8 } },
      { name: 'y' },
    ]);
    expect(raw.map((bytes) => bytes.byteLength)).toEqual([8]);
  });

  test('bytes that are no text are not sent as text', () => {
    const bytes = new Map([['y', tensorOf('BYTES', [1], [Uint8Array.from([255])])]]);
    expect(() =>
      encodeInfer({ name: 'm', version: '1' }, { id: undefined, outputs: undefined, isBinary: false }, bytes),
    ).toThrow('output "y" has bytes that are no UTF-8 text');
  });
});

test('whatever is sent, it is a request or a refusal', () => {
  const good = Buffer.from(
    JSON.stringify({ ...input({}), outputs: [{ name: 'y', parameters: { binary_data: true } }] }),
  );
  const damaged = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
    const copy = Buffer.from(good);
    copy[at] = byte;
    return copy;
  });
  const json = fc
    .object({
      key: fc.constantFrom(
        'inputs',
        'outputs',
        'name',
        'shape',
        'datatype',
        'data',
        'parameters',
        '__proto__',
      ),
    })
    .map((value) =>
      body({ inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1], ...value }], ...value }),
    );
  fc.assert(
    fc.property(
      fc.oneof(damaged, json, fc.uint8Array({ maxLength: 200 })),
      fc.option(fc.oneof(fc.nat(300).map(String), fc.string()), { nil: undefined }),
      (bytes, length) => {
        expect(typeof refusal(bytes, length)).toBe('string');
      },
    ),
    { numRuns: 3000 },
  );
});
