/** Inputs that are nearly right, from a seed: the same seed and number give the same input again. */

export type Random = () => number;

/** Numbers from 0 to below 1 (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What has tripped readers of numbers, texts, sizes and nested data before. */
const TOKENS = [
  ...[
    '0',
    '-0',
    '-1',
    '1e999',
    '-1e-999',
    '0.1',
    '9007199254740993',
    '18446744073709551616',
    '1e',
    '01',
    '.5',
    '-',
  ],
  ...['NaN', 'Infinity', '-Infinity', 'null', 'true', 'false', '""', '"\\ud800"', '"\\u0000"', '"\ue000NaN"'],
  ...[
    '[]',
    '{}',
    '[[',
    ']]',
    '{"b64":"AA=="}',
    '{"b64":"!"}',
    '{"b64":1}',
    '"__proto__":1',
    '"constructor":[]',
  ],
  ...[
    '"shape":[-1]',
    '"shape":[4294967296,4294967296]',
    '"datatype":"BYTES"',
    '"datatype":"FP16"',
    ',',
    ':',
    '"',
  ],
  ...['\\', '\u0000', '\ufeff', '😀', '[1,2,3]', '1.0', '1e3', '"inputs":', '"instances":', '"examples":'],
].map((token) => Buffer.from(token));
const BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x12, 0x2a, 0x3a];

const below = (random: Random, limit: number) => Math.floor(random() * limit);
const pick = <T>(random: Random, from: readonly T[]): T => from[below(random, from.length)] as T;

/** One of the seeds, changed in up to eight places: half of those that are JSON first in a value, so that it stays JSON. */
export function mutated(seeds: readonly Uint8Array[], random: Random): Buffer {
  const seed = pick(random, seeds);
  let bytes: Buffer = random() < 0.5 ? withOtherValue(seed, random) : Buffer.from(seed);
  const changes = below(random, 1 + below(random, 8));
  for (let change = 0; change < changes; change++) bytes = changed(bytes, seeds, random);
  return bytes;
}

const VALUES: readonly unknown[] = [
  ...[
    0,
    -1,
    1.5,
    255,
    256,
    2 ** 53,
    1e300,
    -1e-300,
    '',
    'text',
    '\ud800',
    true,
    null,
    [],
    {},
    [[]],
    [1, [2]],
  ],
  ...[
    { b64: 'AA==' },
    { b64: '!' },
    ['a', 1],
    Array(300).fill(1),
    [[1, 2, 3]],
    [1, 2, 3],
    'FP16',
    'BYTES',
    'INT8',
  ],
];

/** JSON with another value somewhere, or without it; what is no JSON as it is. */
function withOtherValue(seed: Uint8Array, random: Random): Buffer {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(seed).toString());
  } catch {
    return Buffer.from(seed);
  }
  let inner = document as Record<string, unknown>;
  for (;;) {
    const key = pick(random, Object.keys(inner));
    const value = key === undefined ? undefined : inner[key];
    if (typeof value === 'object' && value !== null && Object.keys(value).length > 0 && random() < 0.7) {
      inner = value as Record<string, unknown>;
      continue;
    }
    if (key === undefined || random() < 0.1) delete inner[key];
    else inner[key] = pick(random, VALUES);
    return Buffer.from(JSON.stringify(document));
  }
}

function changed(bytes: Buffer, seeds: readonly Uint8Array[], random: Random): Buffer {
  const at = below(random, bytes.length + 1);
  const length = below(random, Math.min(32, bytes.length - at) + 1);
  const [before, part, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (below(random, 8)) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.concat([before, pick(random, TOKENS), after]);
    case 2:
      return Buffer.concat([before, part, part, after]);
    case 3:
      return before;
    case 4: {
      // Numbers and names change places: a piece of another seed, where it does not belong.
      const other = pick(random, seeds);
      const from = below(random, other.length + 1);
      return Buffer.concat([before, other.subarray(from, from + below(random, 64)), after]);
    }
    case 5:
      return withByte(bytes, at, pick(random, BYTES));
    case 6:
      return withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << below(random, 8)));
    default:
      return Buffer.concat([before, pick(random, TOKENS), bytes.subarray(at)]);
  }
}

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.length) copy[at] = value;
  return copy;
}
