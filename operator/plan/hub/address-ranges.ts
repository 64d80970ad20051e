/** IP addresses in ranges of them in CIDR notation (RFC 4632, RFC 4291). What cannot be read is in no range. */
import { BlockList, isIP, isIPv4 } from 'node:net';

/** IPv4 addresses in the notation of IPv6 (`::ffff:10.0.0.1`): no range of IPv6 has them, so that none is got round by it. */
const mapped = new BlockList();
mapped.addSubnet('::ffff:0:0', 96, 'ipv6');

/** Whether it is an IP address, not a name; one with a zone (`fe80::1%eth0`) means nothing elsewhere and is none. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

/** Whether an address is in one of the ranges. */
export function isWithin(address: string, ranges: readonly string[]): boolean {
  if (!isAddress(address)) return false;
  return ranges.some((range) => {
    const [start = '', length = ''] = range.split('/');
    if (!isAddress(start) || !/^\d{1,3}$/.test(length) || isVersion4(start) !== isVersion4(address))
      return false;
    if (Number(length) > (isIPv4(start) ? 32 : 128)) return false;
    const list = new BlockList();
    list.addSubnet(start, Number(length), notationOf(start));
    return list.check(address, notationOf(address));
  });
}

function isVersion4(address: string): boolean {
  return isIPv4(address) || mapped.check(address, 'ipv6');
}

function notationOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}
