/** Every decoder of what clients send, with requests that are right or nearly so. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { checkInputs } from '../../model-server/engine/check.ts';
import { EngineError } from '../../model-server/engine/engine.ts';
import { ModelInferRequestSchema } from '../../model-server/grpc/generated/inference_pb.js';
import { exampleInputs } from '../../model-server/protocol/classify.ts';
import { invalid, ProtocolError } from '../../model-server/protocol/errors.ts';
import { decodeExamples } from '../../model-server/protocol/example.ts';
import { forecastInputs, parseForecast } from '../../model-server/protocol/forecast.ts';
import { decodeGrpcInfer } from '../../model-server/protocol/grpc-infer.ts';
import { decodeInfer } from '../../model-server/protocol/infer.ts';
import { findNumberList, NumberList } from '../../model-server/protocol/number-list.ts';
import { decodePredict } from '../../model-server/protocol/predict.ts';
import { datatypes, type Signature, type TensorSpec } from '../../model-server/protocol/tensor.ts';
import { grpcStatus, readMessage } from '../../model-server/serve/grpc-method.ts';
import { EXCHANGES } from '../../model-server/serve/openapi-schemas.ts';

export interface Decoder {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Reads a request and checks it, as the server does before TensorFlow sees it. */
  decode(bytes: Buffer): void;
}

const spec = (name: string, datatype: TensorSpec['datatype'], shape: number[]): TensorSpec => ({
  ...{ name, datatype, shape, tensorName: `${name}:0` },
});
const x = spec('x', 'FP32', [-1, 3]);
const one: Signature = {
  name: 'serving_default',
  methodName: '',
  inputs: [x],
  outputs: [spec('y', 'FP32', [-1])],
};
const all: Signature = {
  ...one,
  inputs: datatypes.map((datatype) => spec(datatype.toLowerCase(), datatype, [-1])),
};
const examples: Signature = {
  ...one,
  methodName: 'tensorflow/serving/regress',
  inputs: [spec('inputs', 'BYTES', [-1])],
};
const forecast = { input: 'x', steps: 3, output: 'y', horizon: 24, quantiles: { '0.1': 'y', '0.9': 'y' } };

const json = (...values: object[]) => values.map((value) => Buffer.from(JSON.stringify(value)));
const floats = Buffer.from(Float32Array.from([1, 2, 3]).buffer);
const tensor = { name: 'x', shape: [1, 3], datatype: 'FP32' };
const everyDatatype = datatypes.map((datatype) => ({
  ...{ name: datatype.toLowerCase(), shape: [1], datatype },
  data: [datatype === 'BYTES' ? 'text' : datatype === 'BOOL' ? true : 1],
}));
/** So much that it is read as a list of numbers. */
const manyRows = Array.from({ length: 80 }, (_, row) => [row, row / 7, -1e-3]);
const everyRow = Object.fromEntries(everyDatatype.map(({ name, data }) => [name, data[0]]));

/** Behind the two bytes of its length the JSON, then raw tensors: the header's value is fuzzed with the rest. */
function binary(request: object, ...raw: Uint8Array[]): Buffer {
  const text = Buffer.from(JSON.stringify(request));
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return Buffer.concat([length, text, ...raw]);
}

const message = (init: MessageInitShape<typeof ModelInferRequestSchema>) =>
  toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init));
const grpcTensor = { name: 'x', datatype: 'FP32', shape: [1n, 3n] };

export const DECODERS: readonly Decoder[] = [
  {
    name: 'lists of numbers',
    seeds: [
      ...json(manyRows, [[[0.5], [-1]]], [2 ** 53, 1.7976931348623157e308, 5e-324, 16777217]),
      Buffer.from('[ 0.10000000149011612, -0, 1E+2,\n123456789012345678901, 0.00012345678901234567890 ]'),
    ],
    decode(bytes) {
      const found = findNumberList(bytes, 0);
      if (!found) throw invalid('', 'no list of plain numbers');
      const values: number[] = JSON.parse(bytes.toString('latin1', 0, found.end)).flat(Infinity);
      const list = NumberList.of(bytes, found);
      const singles = list.takeElements('FP32')?.slice();
      const doubles = list.takeElements('FP64');
      if (singles?.some((single, index) => !Object.is(single, Math.fround(values[index]!)))) {
        throw new Error('other values of FP32 than those of JSON.parse');
      }
      if (doubles?.some((double, index) => !Object.is(double, values[index]))) {
        throw new Error('other values of FP64 than those of JSON.parse');
      }
      const fits = (greatest: number) => values.every((value) => Math.abs(value) <= greatest);
      if (
        singles?.length !== (fits(3.4028234663852886e38) ? values.length : undefined) ||
        doubles?.length !== (fits(Number.MAX_VALUE) ? values.length : undefined)
      ) {
        throw new Error('values that are held are refused, or others given');
      }
      for (const datatype of ['FP32', 'INT64', 'UINT8'] as const) {
        const [single, double] = (['FP32', 'FP64'] as const).map((precision) =>
          NumberList.of(bytes, findNumberList(bytes, 0, precision)!).takeElements(datatype),
        );
        if (
          single?.length !== double?.length ||
          single?.some((value, index) => !Object.is(value, double?.[index]))
        )
          throw new Error(`other values of ${datatype} from FP64 than from FP32`);
      }
    },
  },
  {
    name: 'infer JSON',
    seeds: json(
      { id: '1', inputs: [{ ...tensor, data: [1, 2, 3] }], outputs: [{ name: 'y' }] },
      { inputs: [{ ...tensor, shape: [manyRows.length, 3], data: manyRows }] },
      {
        inputs: [
          {
            ...tensor,
            shape: [2, 3],
            data: [
              [1.5, -2, 3e8],
              [4, 5, 6],
            ],
          },
        ],
        parameters: { timeout: 5 },
      },
      { inputs: everyDatatype, parameters: { binary_data_output: true } },
    ),
    decode(bytes) {
      const signature = bytes.includes('bf16') ? all : one;
      checkInputs(signature, decodeInfer(bytes, undefined, signature).inputs);
    },
  },
  {
    name: 'infer binary tensors',
    seeds: [
      binary({ inputs: [{ ...tensor, parameters: { binary_data_size: 12 } }] }, floats),
      binary(
        {
          inputs: [
            { name: 'bytes', shape: [2], datatype: 'BYTES', parameters: { binary_data_size: 10 } },
            { name: 'bool', shape: [1], datatype: 'BOOL', parameters: { binary_data_size: 1 } },
          ],
        },
        Buffer.from([1, 0, 0, 0, 97, 1, 0, 0, 0, 98]),
        Buffer.from([1]),
      ),
      Buffer.concat([Buffer.from([0, 0]), floats]),
    ],
    decode(bytes) {
      const signature = bytes.includes('bool') ? all : one;
      const length = bytes.length < 2 ? '' : String(bytes.readUInt16LE());
      checkInputs(signature, decodeInfer(bytes.subarray(2), length, signature).inputs);
    },
  },
  {
    name: 'predict rows and columns',
    seeds: json(
      {
        instances: [
          [1, 2, 3],
          [4.5, 5, 6],
        ],
      },
      { signature_name: 'all', instances: [everyRow, everyRow] },
      { instances: manyRows },
      { inputs: { x: [[1, 2, 3]] } },
      {
        signature_name: 'all',
        inputs: Object.fromEntries(everyDatatype.map(({ name, data }) => [name, data])),
      },
    ),
    decode(bytes) {
      const signatureOf = (name: string) => (name === 'all' ? all : one);
      const { signature, inputs } = decodePredict(bytes, 'serving_default', signatureOf);
      checkInputs(signatureOf(signature), inputs);
    },
  },
  {
    name: 'gRPC ModelInfer',
    seeds: [
      message({ modelName: 'm', id: '1', inputs: [grpcTensor], rawInputContents: [floats] }),
      message({ modelName: 'm', inputs: [{ ...grpcTensor, contents: { fp32Contents: [1, 2, 3] } }] }),
      message({
        modelName: 'm',
        parameters: { timeout: { parameterChoice: { case: 'int64Param', value: 5n } } },
        inputs: [
          { name: 'int8', datatype: 'INT8', shape: [1n], contents: { intContents: [-1] } },
          { name: 'uint64', datatype: 'UINT64', shape: [1n], contents: { uint64Contents: [2n ** 64n - 1n] } },
          { name: 'bytes', datatype: 'BYTES', shape: [1n], contents: { bytesContents: [Buffer.from('a')] } },
          { name: 'bool', datatype: 'BOOL', shape: [1n], contents: { boolContents: [true] } },
        ],
        outputs: [{ name: 'y' }],
      }),
    ],
    decode(bytes) {
      const signature = bytes.includes('uint64') ? all : one;
      checkInputs(signature, decodeGrpcInfer(readMessage(ModelInferRequestSchema, bytes), signature).inputs);
    },
  },
  {
    name: 'classify and regress examples',
    seeds: json(
      { signature_name: 's', examples: [{ x: 1.5, t: 'text', b: { b64: 'AA==' }, i: [1, 2] }, {}] },
      { context: { x: [0.5] }, examples: [{ y: -1 }] },
    ),
    decode(bytes) {
      const request = decodeExamples(bytes);
      checkInputs(examples, exampleInputs('regress', examples, request.examples, [examples]));
    },
  },
  {
    name: 'forecast',
    seeds: [
      ...json(...Object.values(EXCHANGES.Forecast.examples ?? {})),
      ...json({
        model: 'm',
        inputs: [
          {
            ...{ type: 'univariate_time_series', name: 'f', series: [1, 2, 3], frequency: 'M' },
            start_timestamp: '2026-01-31T00:00:00+01:00',
          },
        ],
        options: { horizon: 1, quantiles: [0.1] },
      }),
    ],
    decode(bytes) {
      checkInputs(one, forecastInputs(parseForecast(bytes), forecast));
    },
  },
];

/** Whether a failure is an answer that the client can use: a sentence, blaming the request, that can be sent. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof EngineError) return error.kind === 'InvalidArgument';
  if (!(error instanceof ProtocolError) || error.kind !== 'InvalidArgument') return false;
  // What gRPC puts into a header; it throws when it cannot.
  encodeURI(grpcStatus(error).details);
  return error.message.length < 4096;
}
