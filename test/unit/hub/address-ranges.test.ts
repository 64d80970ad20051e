import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isWithin, parseAddress } from '../../../operator/plan/hub/address-ranges.ts';

const isIn = (text: string, ...ranges: string[]) => {
  const address = parseAddress(text);
  return address !== undefined && isWithin(address, ranges);
};

describe('an address is', () => {
  test.each([
    ['203.0.113.7', '203.0.113.0/24'],
    ['203.0.113.7', '203.0.113.7/32'],
    ['10.1.2.3', '0.0.0.0/0'],
    ['2001:db8:1::7', '2001:db8::/32'],
    ['2001:db8::7', '2001:0db8:0000::0007/128'],
    ['::ffff:203.0.113.7', '203.0.113.0/24'],
  ])('within: %s in %s', (address, range) => expect(isIn(address, range)).toBe(true));

  test.each([
    ['203.0.114.7', '203.0.113.0/24'],
    ['203.0.113.7', '203.0.113.0'],
    ['203.0.113.7', '203.0.113.0/33'],
    ['203.0.113.7', '::/0'],
    ['::1', '0.0.0.0/0'],
    ['::ffff:203.0.113.7', '::/0'],
    ['0203.0.113.7', '203.0.113.0/24'],
    ['traffic.example.org', '0.0.0.0/0'],
    ['1.2.3.4::', '::/0'],
    ['fe80::1%eth0', '::/0'],
    ['', '0.0.0.0/0'],
  ])('not within: %s in %s', (address, range) => expect(isIn(address, range)).toBe(false));

  test('read exactly when Node reads it', () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.stringMatching(/^[0-9a-f:.]{0,20}$/),
      fc.tuple(fc.ipV6(), fc.nat(30)).map(([address, at]) => address.slice(0, at)),
    );
    fc.assert(
      fc.property(text, (address) => {
        expect([address, parseAddress(address) !== undefined]).toEqual([
          address,
          isIPv4(address) || isIPv6(address),
        ]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('within a range exactly when Node says so', () => {
    const range = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
    );
    const near = range.chain(([start, length, family]) =>
      fc.tuple(
        fc.constant([start, length, family] as const),
        fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant(start)),
      ),
    );
    fc.assert(
      fc.property(near, ([[start, length, family], address]) => {
        // Between the families, Node takes IPv4 for a part of IPv6; here they are apart.
        const isPlain = (text: string) => isIPv4(text) === (parseAddress(text)?.family === 'IPv4');
        fc.pre(isIPv4(start) === isIPv4(address) && isPlain(start) && isPlain(address));
        const list = new BlockList();
        list.addSubnet(start, length, family);
        expect(isIn(address, `${start}/${length}`)).toBe(
          list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'),
        );
      }),
      { numRuns: 2_000 },
    );
  });
});
