/** Requests in the Open Inference Protocol and TensorFlow Serving's, for the models of the benchmark. */
import type { ClientRequest } from './contender.ts';
import type { BenchModel } from './models.ts';

/** Values from 0 to 1 with up to four decimals, as clients send scaled pixels and measurements. */
export function valuesOf({ inputShape }: BenchModel, rows: number): Float32Array<ArrayBuffer> {
  const length = inputShape.reduce((product, size) => product * size, rows);
  return Float32Array.from({ length }, (_, index) => Number(((index % 97) / 97).toFixed(4)));
}

/** TensorFlow Serving's row format, `{"instances": [...]}`. */
export function instancesRequest(model: BenchModel, rows: number, url: string): ClientRequest {
  const numbers = Array.from(valuesOf(model, rows), (value) => Number(value.toFixed(4)));
  return { url, body: JSON.stringify({ instances: nested(numbers, [rows, ...model.inputShape]) }) };
}

/** The binary tensor extension of the Open Inference Protocol, in both directions. */
export function rawTensorRequest(model: BenchModel, rows: number, url: string): ClientRequest {
  const numbers = valuesOf(model, rows);
  const head = JSON.stringify({
    inputs: [
      {
        ...{ name: 'x', datatype: 'FP32', shape: [rows, ...model.inputShape] },
        parameters: { binary_data_size: numbers.byteLength },
      },
    ],
    parameters: { binary_data_output: true },
  });
  return {
    url,
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(head.length),
    },
    body: Buffer.concat([Buffer.from(head), Buffer.from(numbers.buffer)]),
  };
}

function nested(numbers: readonly number[], [size = 1, ...inner]: readonly number[]): unknown {
  if (inner.length === 0) return numbers;
  const step = numbers.length / size;
  return Array.from({ length: size }, (_, index) =>
    nested(numbers.slice(index * step, (index + 1) * step), inner),
  );
}
