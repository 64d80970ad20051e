/** IP addresses and ranges of them in CIDR notation (RFC 4632, RFC 4291). What cannot be read is in no range. */

export interface Address {
  readonly family: 'IPv4' | 'IPv6';
  readonly bits: bigint;
}

const WIDTH = { IPv4: 32, IPv6: 128 } as const;

/** An IPv6 address that stands for an IPv4 one (`::ffff:10.0.0.1`) is read as that, so that no range is got round by it. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) return parseDotted(text);
  const bits = parseColons(text);
  if (bits === undefined) return undefined;
  return bits >> 32n === 0xffffn ? { family: 'IPv4', bits: bits & 0xffff_ffffn } : { family: 'IPv6', bits };
}

/** Whether an address is in one of the ranges. */
export function isWithin(address: Address, ranges: readonly string[]): boolean {
  return ranges.some((range) => {
    const [text = '', length = ''] = range.split('/');
    const start = parseAddress(text);
    if (!start || start.family !== address.family || !/^\d{1,3}$/.test(length)) return false;
    const width = WIDTH[start.family];
    if (Number(length) > width) return false;
    const host = BigInt(width - Number(length));
    return start.bits >> host === address.bits >> host;
  });
}

function parseDotted(text: string): Address | undefined {
  const parts = text.split('.');
  // A zero in front would mean octal to some readers.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  return { family: 'IPv4', bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
}

function parseColons(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const last = groupsOf(halves.at(-1)!, true);
  const first = halves.length === 1 ? [] : groupsOf(halves[0]!, false);
  if (!first || !last) return undefined;
  const missing = 8 - first.length - last.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...first, ...Array<bigint>(missing).fill(0n), ...last];
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** @param isEnd the last group of all may be an IPv4 address */
function groupsOf(text: string, isEnd: boolean): bigint[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const dotted = isEnd ? parseDotted(parts.at(-1)!) : undefined;
  const hex = dotted ? parts.slice(0, -1) : parts;
  if (!hex.every((part) => /^[0-9A-Fa-f]{1,4}$/.test(part))) return undefined;
  const groups = hex.map((part) => BigInt(`0x${part}`));
  return dotted ? [...groups, dotted.bits >> 16n, dotted.bits & 0xffffn] : groups;
}
