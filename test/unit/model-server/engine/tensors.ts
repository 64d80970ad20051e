/** Tensors for tests. */
import { arrayTypes } from '../../../../model-server/protocol/cast.ts';
import type { Datatype, NamedTensors, Tensor } from '../../../../model-server/protocol/tensor.ts';

/** A tensor of any datatype but BYTES from plain numbers. */
export function tensor(
  datatype: Exclude<Datatype, 'BYTES'>,
  shape: readonly number[],
  values: readonly (number | bigint)[],
): Tensor {
  const data = new arrayTypes[datatype](values.length);
  values.forEach((value, i) => {
    data[i] = value as never;
  });
  return { datatype, shape, data } as Tensor;
}

export function bytes(shape: readonly number[], values: readonly (string | readonly number[])[]): Tensor {
  const encode = (value: string | readonly number[]) =>
    typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value);
  return { datatype: 'BYTES', shape, data: values.map(encode) };
}

export function floats(shape: readonly number[], values: readonly number[]): Tensor {
  return tensor('FP32', shape, values);
}

/** Elements as plain values, for comparison: arrays from native code are of another realm. */
export function values(tensor: Tensor | undefined): (number | bigint | number[])[] {
  if (tensor?.datatype === 'BYTES') return tensor.data.map((element) => Array.from(element));
  return Array.from((tensor?.data ?? []) as Iterable<number | bigint>);
}

/** Shapes and values by name. */
export function plain(outputs: NamedTensors): Record<string, unknown> {
  return Object.fromEntries(
    [...outputs].map(([name, output]) => [name, { shape: Array.from(output.shape), values: values(output) }]),
  );
}
