/** Kubernetes quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */

const PATTERN = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E))?$/;

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The value of a quantity, or NaN when the text is none. */
export function quantityValue(quantity: string | number): number {
  const [, digits, exponent = '', suffix] = PATTERN.exec(String(quantity)) ?? [];
  if (digits === undefined) return Number.NaN;
  return Number(`${digits}${exponent}`) * (suffix === undefined ? 1 : FACTORS[suffix]!);
}

/** True for two spellings of one amount, such as 1000m and 1. */
export function isSameQuantity(a: string | number, b: string | number): boolean {
  const [left, right] = [quantityValue(a), quantityValue(b)];
  return Math.abs(left - right) <= Math.abs(left) * 1e-12;
}
