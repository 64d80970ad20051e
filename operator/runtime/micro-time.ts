/**
 * `metav1.MicroTime`: RFC 3339 with exactly six digits after the second. The API server refuses any other number
 * of digits, also the three of `Date.toISOString`.
 */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
