/**
 * Where cities are equal in everything, each service prefers them in an order of its own (rendezvous hashing), so that
 * equal services do not all go to the first city of the alphabet, and a city that comes or goes changes nothing for the
 * order of the others.
 */

/** @returns for the name of a city a number from 0 up to, not including, 1 */
export function tieBreak(service: string): (city: string) => number {
  const seed = hash(service);
  return (city) => mix(seed ^ hash(city)) / 2 ** 32;
}

/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), 32 bits; kept for names that come up again and again. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

/** The finaliser of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(bits: number): number {
  let value = bits;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
