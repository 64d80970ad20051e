import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  modelMetadata,
  modelStatus,
  signatureMetadata,
} from '../../../../model-server/protocol/documents.ts';
import { invalid, ProtocolError } from '../../../../model-server/protocol/errors.ts';
import { decodePredict, encodePredict } from '../../../../model-server/protocol/predict.ts';
import {
  type Datatype,
  datatypes,
  type Signature,
  type Tensor,
} from '../../../../model-server/protocol/tensor.ts';
import { said, tensorOf, tensors } from './tensors.ts';

const taking = (inputs: Record<string, Datatype>): Signature => ({
  name: 'serving_default',
  methodName: 'tensorflow/serving/predict',
  inputs: Object.entries(inputs).map(([name, datatype]) => ({
    name,
    datatype,
    shape: null,
    tensorName: `${name}:0`,
  })),
  outputs: [],
});
const one = taking({ x: 'FP32' });
const two = taking({ flow: 'FP32', street: 'BYTES' });
const signatures = new Map([
  ['serving_default', one],
  ['two', two],
]);
const find = (known: ReadonlyMap<string, Signature>) => (name: string) => {
  const signature = known.get(name);
  if (!signature) throw invalid('signature_name', `no "${name}"`);
  return signature;
};
const bytesOf = (request: unknown) =>
  Buffer.from(typeof request === 'string' ? request : JSON.stringify(request));
const decode = (request: unknown) => decodePredict(bytesOf(request), 'serving_default', find(signatures));
const inputs = (request: unknown) =>
  Object.fromEntries([...decode(request).inputs].map(([name, tensor]) => [name, said(tensor)]));

function refusal(request: unknown): string {
  try {
    decode(request);
    return 'accepted';
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    expect((error as ProtocolError).status).toBe(400);
    return (error as ProtocolError).message;
  }
}

describe('what is written is read as the same', () => {
  test.each([...datatypes])('%s in columns', (datatype: Datatype) => {
    fc.assert(
      fc.property(tensors(datatype, { json: true }), (tensor) => {
        const json = encodePredict({ rows: undefined }, new Map([['x', tensor]]));
        const request = bytesOf(json.replace('"outputs":', '"inputs":'));
        const read = decodePredict(request, 'a', () => taking({ x: datatype }));
        expect(said(read.inputs.get('x') as Tensor)).toEqual(said(tensor));
      }),
    );
  });

  test.each([...datatypes])('%s in rows, alone and by name', (datatype: Datatype) => {
    fc.assert(
      fc.property(tensors(datatype, { json: true, minRank: 1 }), (tensor) => {
        const rows = tensor.shape[0] as number;
        for (const name of ['only', 'b_bytes']) {
          const outputs = new Map<string, Tensor>([[name, tensor]]);
          if (name === 'b_bytes') outputs.set('other', tensorOf('INT8', [rows], new Array(rows).fill(1)));
          const json = encodePredict({ rows }, outputs);
          const asked =
            name === 'only' ? taking({ only: datatype }) : taking({ other: 'INT8', b_bytes: datatype });
          const read = decodePredict(
            bytesOf(json.replace('"predictions":', '"instances":')),
            'a',
            () => asked,
          );
          expect(read.rows).toBe(rows);
          expect(said(read.inputs.get(name) as Tensor)).toEqual(said(tensor));
        }
      }),
    );
  });

  test('bytes that are no text, whatever the name', () => {
    const tensor = tensorOf('BYTES', [2], [Uint8Array.from([255, 0]), Uint8Array.from([65])]);
    expect(encodePredict({ rows: 2 }, new Map([['name', tensor]]))).toBe(
      '{"predictions":[{"b64":"/wA="},"A"]}',
    );
    expect(encodePredict({ rows: undefined }, new Map([['a_bytes', tensor]]))).toBe(
      '{"outputs":[{"b64":"/wA="},{"b64":"QQ=="}]}',
    );
  });
});

describe('requests', () => {
  test('rows without names, as scalars and as lists', () => {
    expect(inputs({ instances: [1, 2, 3] })).toEqual({ x: said(tensorOf('FP32', [3], [1, 2, 3])) });
    expect(inputs({ instances: [[[1], [2]]] })).toEqual({ x: said(tensorOf('FP32', [1, 2, 1], [1, 2])) });
  });

  test('rows and columns by name, under another signature', () => {
    const expected = {
      flow: said(tensorOf('FP32', [2], [1, 2])),
      street: said(tensorOf('BYTES', [2], [Buffer.from('Rua'), Buffer.from('é')])),
    };
    const rows = [
      { flow: 1, street: 'Rua' },
      { street: { b64: 'w6k=' }, flow: 2 },
    ];
    expect(inputs({ signature_name: 'two', instances: rows })).toEqual(expected);
    expect(inputs({ signature_name: 'two', inputs: { flow: [1, 2], street: ['Rua', 'é'] } })).toEqual(
      expected,
    );
  });
});

describe('what is wrong is said with its path', () => {
  test.each<[string, unknown, string]>([
    ['neither', {}, 'the body has neither "instances" nor "inputs", exactly one was expected'],
    ['both', { instances: [1], inputs: [1] }, 'the body has both "instances" and "inputs"'],
    ['no rows', { instances: [] }, 'instances: a list of 0 found, a list of at least one row expected'],
    ['rows that are none', { instances: 'x' }, 'instances: a string found'],
    ['another signature', { signature_name: 'three', instances: [1] }, 'signature_name: no "three"'],
    ['ragged rows', { instances: [[1, 2], [3]] }, 'instances[1]: a list of 1 found, a list of 2 expected'],
    [
      'deeper rows',
      { instances: [1, [2]] },
      'instances[1]: a list of 1 found, a number that FP32 holds expected',
    ],
    ['null', { instances: [[1, null]] }, 'instances[0][1]: null found, a number that FP32 holds expected'],
    ['values without names', { signature_name: 'two', instances: [1] }, 'takes "flow", "street"'],
    [
      'a name too many',
      { inputs: { x: [1], y: [1] } },
      'inputs: "y" is no input of signature "serving_default"',
    ],
    [
      'a name too few',
      { signature_name: 'two', instances: [{ flow: 1 }] },
      'instances[0]: input "street" is missing',
    ],
    [
      'a row unlike the first',
      { signature_name: 'two', instances: [{ flow: 1, street: '' }, 1] },
      'instances[1]: ',
    ],
    ['bad base64', { signature_name: 'two', inputs: { flow: [1], street: [{ b64: '?' }] } }, 'is no base64'],
    ['a long name', { inputs: { ['n'.repeat(1e5)]: 1 } }, 'nnn…" is no input'],
  ])('%s', (_, request, sentence) => {
    const message = refusal(request);
    expect(message).toContain(sentence);
    expect(message.length).toBeLessThan(400);
  });

  test('an output that has no row for each instance', () => {
    expect(() => encodePredict({ rows: 2 }, new Map([['y', tensorOf('FP32', [3], [1, 2, 3])]]))).toThrow(
      'output "y" has shape [3], which is not one row for each of 2; use the column format ("inputs")',
    );
  });

  test('whatever is sent, it is a request or a refusal', () => {
    const keys = fc.constantFrom(
      'instances',
      'inputs',
      'signature_name',
      'x',
      'flow',
      'street',
      'b64',
      '__proto__',
    );
    const json = fc.object({ key: keys }).map((value) => JSON.stringify(value));
    const lists = fc.letrec((tie) => ({
      list: fc.array(fc.oneof({ maxDepth: 4 }, fc.double(), tie('list')), { maxLength: 3 }),
    })).list;
    const shaped = lists.map((instances) => JSON.stringify({ instances }));
    fc.assert(
      fc.property(fc.oneof(json, shaped, fc.string()), (request) => {
        expect(typeof refusal(request)).toBe('string');
      }),
      { numRuns: 3000 },
    );
  });
});

describe('documents', () => {
  test('TensorFlow Serving’s signature document', () => {
    expect(
      signatureMetadata('m', '3', [
        { ...one, outputs: [{ name: 'y', datatype: 'INT64', shape: [-1, 2], tensorName: 'y:0' }] },
      ]),
    ).toEqual({
      model_spec: { name: 'm', signature_name: '', version: '3' },
      metadata: {
        signature_def: {
          signature_def: {
            serving_default: {
              inputs: {
                x: { dtype: 'DT_FLOAT', tensor_shape: { dim: [], unknown_rank: true }, name: 'x:0' },
              },
              outputs: {
                y: {
                  dtype: 'DT_INT64',
                  tensor_shape: {
                    dim: [
                      { size: '-1', name: '' },
                      { size: '2', name: '' },
                    ],
                    unknown_rank: false,
                  },
                  name: 'y:0',
                },
              },
              method_name: 'tensorflow/serving/predict',
            },
          },
        },
      },
    });
  });

  test('status for TensorFlow Serving’s clients and KServe’s', () => {
    expect(modelStatus('m', [{ version: '3', state: 'AVAILABLE' }])).toEqual({
      name: 'm',
      ready: true,
      model_version_status: [
        { version: '3', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } },
      ],
    });
  });

  test('metadata of the Open Inference Protocol', () => {
    expect(modelMetadata({ name: 'm', versions: ['3'], platform: 'tensorflow_savedmodel' }, two)).toEqual({
      name: 'm',
      versions: ['3'],
      platform: 'tensorflow_savedmodel',
      inputs: [
        { name: 'flow', datatype: 'FP32', shape: [] },
        { name: 'street', datatype: 'BYTES', shape: [] },
      ],
      outputs: [],
    });
  });
});
