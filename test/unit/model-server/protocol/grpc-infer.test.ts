import { readFileSync } from 'node:fs';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { digestFile, sourcesDigest } from '../../../../model-server/grpc/generate.ts';
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
} from '../../../../model-server/grpc/generated/inference_pb.js';
import {
  decodeGrpcInfer,
  decodeTensor,
  encodeGrpcInfer,
} from '../../../../model-server/protocol/grpc-infer.ts';
import { datatypes, type Signature, type Tensor } from '../../../../model-server/protocol/tensor.ts';
import { said, tensors } from './tensors.ts';

/** Written as an answer, sent, and read as the input of a request. */
function roundTrip(tensor: Tensor, isRaw: boolean): Tensor {
  const answer = encodeGrpcInfer(
    { name: 'm', version: '1' },
    { id: '', outputs: undefined, isRaw },
    new Map([['y', tensor]]),
  );
  const sent = fromBinary(ModelInferResponseSchema, toBinary(ModelInferResponseSchema, answer));
  const [output] = sent.outputs;
  return decodeTensor(output!, sent.rawOutputContents[0], 'y');
}

describe('what is written is read as the same', () => {
  test.each([...datatypes])('%s, raw', (datatype) => {
    fc.assert(
      fc.property(tensors(datatype, { json: false }), (tensor) => {
        expect(said(roundTrip(tensor, true))).toEqual(said(tensor));
      }),
    );
  });
  // FP16 and BF16 come back raw, since no typed contents carry them.
  test.each([...datatypes])('%s, typed', (datatype) => {
    fc.assert(
      fc.property(tensors(datatype, { json: false }), (tensor) => {
        expect(said(roundTrip(tensor, false))).toEqual(said(tensor));
      }),
    );
  });
});

const signature: Signature = {
  ...{ name: 'serving_default', methodName: '', inputs: [] },
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1], tensorName: 'y:0' }],
};
const tensor = { name: 'x', datatype: 'FP32', shape: [1n] };
const raw = Buffer.alloc(4);

test.each<[object, RegExp]>([
  [{ inputs: [] }, /inputs: none found/],
  [{ inputs: [tensor, tensor], rawInputContents: [raw, raw] }, /inputs\[1\].name: "x" is given twice/],
  [
    { inputs: [tensor], rawInputContents: [raw, raw] },
    /raw_input_contents: 2 found, one for each of 1 inputs/,
  ],
  [
    { inputs: [{ ...tensor, contents: { fp32Contents: [1] } }], rawInputContents: [raw] },
    /exclude each other/,
  ],
  [{ inputs: [{ ...tensor, datatype: 'x' }] }, /inputs\[0\].datatype: "x" found/],
  [{ inputs: [{ ...tensor, datatype: 'FP16' }] }, /FP16 found, which only raw_input_contents can carry/],
  [
    { inputs: [{ ...tensor, contents: { intContents: [1] } }] },
    /int_contents: found for FP32, fp32_contents/,
  ],
  [
    { inputs: [{ ...tensor, contents: { fp32Contents: [1, 2] } }] },
    /fp32_contents: 2 elements found, 1 expected/,
  ],
  [
    { inputs: [{ ...tensor, datatype: 'INT8', contents: { intContents: [128] } }] },
    /int_contents\[0\]: 128 found, which INT8 cannot hold/,
  ],
  [{ inputs: [{ ...tensor, shape: [-1n] }] }, /shape\[0\]: -1 found/],
  [{ inputs: [{ ...tensor, shape: [2n ** 40n, 2n ** 40n] }] }, /too large/],
  [{ inputs: [{ ...tensor, shape: Array(17).fill(1n) }] }, /17 dimensions found/],
  [
    { inputs: [tensor], rawInputContents: [raw], outputs: [{ name: 'z' }] },
    /outputs\[0\].name: "z" is no output/,
  ],
  [
    {
      ...{ inputs: [tensor], rawInputContents: [raw] },
      parameters: { timeout: { parameterChoice: { case: 'int64Param', value: -1n } } },
    },
    /parameters.timeout: the number -1 found/,
  ],
])('%# is refused', (request, sentence) => {
  const message = create(ModelInferRequestSchema, request);
  expect(() => decodeGrpcInfer(message, signature)).toThrow(sentence);
});

test('the code of the messages is that of their description', () => {
  expect(readFileSync(digestFile, 'utf8')).toBe(sourcesDigest());
});
