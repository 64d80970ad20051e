import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isWithin } from '../../../operator/plan/hub/address-ranges.ts';

const isIn = (address: string, ...ranges: string[]) => isWithin(address, ranges);

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

  test('within the range of its first bits, and no longer with one of them changed', () => {
    const bytes = fc.uint8Array({ minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 32 }), fc.nat(31), (address, length, at) => {
        const other = Uint8Array.from(address);
        other[at >> 3]! ^= 0x80 >> (at & 7);
        expect(isWithin(other.join('.'), [`${address.join('.')}/${length}`])).toBe(at >= length);
      }),
    );
  });
});
