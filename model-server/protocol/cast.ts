/**
 * Values of one datatype as another, never changing what they say. Pure.
 *
 * Integers become other integers, or floats, where every value is exactly representable; floats become other
 * floats, rounded to the nearest, where none overflows to infinity. A float never becomes an integer, and BOOL and
 * BYTES only stay what they are. NaN and infinities pass between floats.
 */
import { fromBfloat16, fromHalf, toBfloat16, toHalf } from './half.ts';
import type { Datatype, Tensor, TensorArrays } from './tensor.ts';

type NumericDatatype = Exclude<Datatype, 'BYTES' | 'BOOL'>;

interface Kind {
  readonly integer: boolean;
  /** Least and greatest value: of integers all, of floats the finite ones. */
  readonly least: number | bigint;
  readonly greatest: number | bigint;
  /** Floats hold integers exactly up to this magnitude. */
  readonly exactTo: number;
}

const integers = (bits: number, signed: boolean): Kind => {
  const wide = bits === 64;
  const [least, greatest] = signed
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n];
  return {
    integer: true,
    least: wide ? least : Number(least),
    greatest: wide ? greatest : Number(greatest),
    exactTo: 0,
  };
};
const floats = (greatest: number, fractionBits: number): Kind => ({
  integer: false,
  least: -greatest,
  greatest,
  exactTo: 2 ** (fractionBits + 1),
});

const kinds: Readonly<Record<NumericDatatype, Kind>> = {
  UINT8: integers(8, false),
  UINT16: integers(16, false),
  UINT32: integers(32, false),
  UINT64: integers(64, false),
  INT8: integers(8, true),
  INT16: integers(16, true),
  INT32: integers(32, true),
  INT64: integers(64, true),
  FP16: floats(65504, 10),
  BF16: floats(3.3895313892515355e38, 7),
  FP32: floats(3.4028234663852886e38, 23),
  FP64: floats(Number.MAX_VALUE, 52),
};

/** Makes the array of each datatype. */
export const arrayTypes: {
  readonly [D in Exclude<Datatype, 'BYTES'>]: new (
    length: number,
  ) => TensorArrays[D];
} = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

/** A range that a value must lie in to be one of this datatype; undefined for datatypes without numbers. */
export function rangeOf(
  datatype: Datatype,
): { least: number | bigint; greatest: number | bigint } | undefined {
  return datatype === 'BOOL' || datatype === 'BYTES' ? undefined : kinds[datatype];
}

/** Whether values of one datatype may ever become the other; single values may still not fit. */
export function isCastable(from: Datatype, to: Datatype): boolean {
  if (from === to) return true;
  if (from === 'BOOL' || from === 'BYTES' || to === 'BOOL' || to === 'BYTES') return false;
  return kinds[from].integer || !kinds[to].integer;
}

/**
 * The tensor in another datatype; the same object when it already is.
 * @returns a sentence instead when the datatypes do not mix or a value does not fit.
 */
export function cast(tensor: Tensor, datatype: Datatype): Tensor | string {
  if (tensor.datatype === datatype) return tensor;
  if (!isCastable(tensor.datatype, datatype))
    return `datatype ${tensor.datatype} found, ${datatype} expected`;
  const from = tensor.datatype as NumericDatatype;
  const to = datatype as NumericDatatype;
  const read = reader(from);
  const write = writer(to);
  const source = tensor.data as Uint8Array;
  const target = new arrayTypes[to](source.length);
  const fits = fitting(kinds[from], kinds[to]);
  for (let i = 0; i < source.length; i++) {
    const value = read(source[i] as number);
    if (!fits(value)) return `element ${i} is ${value}, which ${datatype} cannot hold`;
    target[i] = write(value) as never;
  }
  return { datatype, shape: tensor.shape, data: target } as Tensor;
}

type Value = number | bigint;

function fitting(from: Kind, to: Kind): (value: Value) => boolean {
  if (to.integer) return (value) => value >= to.least && value <= to.greatest;
  if (from.integer) return (value) => value >= -to.exactTo && value <= to.exactTo;
  return (value) => !Number.isFinite(value) || (value >= to.least && value <= to.greatest);
}

function reader(datatype: NumericDatatype): (element: Value) => Value {
  if (datatype === 'FP16') return (element) => fromHalf(Number(element));
  if (datatype === 'BF16') return (element) => fromBfloat16(Number(element));
  return (element) => element;
}

function writer(datatype: NumericDatatype): (value: Value) => Value {
  switch (datatype) {
    case 'FP16':
      return (value) => toHalf(Number(value));
    case 'BF16':
      return (value) => toBfloat16(Number(value));
    case 'INT64':
    case 'UINT64':
      return BigInt;
    default:
      return Number;
  }
}
