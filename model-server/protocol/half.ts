/** Sixteen-bit floats as raw bits: IEEE 754 binary16 (FP16) and bfloat16 (BF16), to and from numbers. Pure. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The value of FP16 bits; exact. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest FP16 bits, ties to even; beyond 65504 by half a step it is infinity. */
export function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  // The step between neighbours: 2^(exponent - 10), no smaller than the subnormal 2^-24.
  const exponent = Math.max(binaryExponent(magnitude), -14);
  const steps = roundHalfEven(magnitude / 2 ** (exponent - 10));
  // Normal numbers have 1024 to 2047 steps; 2048 carries into the exponent by itself.
  return sign | (steps + ((exponent + 14) << 10));
}

/** The value of BF16 bits: the upper half of an FP32; exact. */
export function fromBfloat16(bfloat: number): number {
  bits[0] = bfloat << 16;
  return float[0] as number;
}

/** The nearest BF16 bits of the nearest FP32, ties to even. */
export function toBfloat16(value: number): number {
  float[0] = value;
  const pattern = bits[0] as number;
  if (Number.isNaN(value)) return 0x7fc0;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}

function binaryExponent(magnitude: number): number {
  if (magnitude === 0) return -Infinity;
  float[0] = magnitude;
  return (((bits[0] as number) >>> 23) & 0xff) - 127;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
}
