import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decide, type LeaseSpec, nextSpec, releasedSpec, see } from '../../../operator/runtime/lease-step.ts';

const now = new Date('2026-03-01T08:00:00.103Z');
const held: LeaseSpec = {
  holderIdentity: 'other',
  leaseDurationSeconds: 15,
  acquireTime: '2026-03-01T07:00:00.000000Z',
  renewTime: '2026-03-01T07:59:50.000000Z',
  leaseTransitions: 4,
};

describe('deciding', () => {
  test.each([
    ['no lease', undefined, 'create'],
    ['our own', { spec: { ...held, holderIdentity: 'me' }, sinceSeconds: 0 }, 'renew'],
    ['held by another, seen to change 14.9 s ago', { spec: held, sinceSeconds: 85.1 }, 'wait'],
    ['held by another, unchanged for 15 s', { spec: held, sinceSeconds: 85 }, 'take'],
    ['released', { spec: { ...held, holderIdentity: '' }, sinceSeconds: 100 }, 'take'],
    ['an empty record', { spec: {}, sinceSeconds: 100 }, 'take'],
  ] as const)('%s: %s', (_, seen, expected) => {
    expect(decide(seen, 'me', 100)).toBe(expected);
  });

  test('the times in the record play no part: only our own clock since it changed', () => {
    const anyTime = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') });
    fc.assert(
      fc.property(anyTime, fc.double({ min: 0, max: 100, noNaN: true }), (date, age) => {
        const spec = { ...held, renewTime: date.toISOString(), acquireTime: date.toISOString() };
        expect(decide({ spec, sinceSeconds: 0 }, 'me', age)).toBe(age < 15 ? 'wait' : 'take');
      }),
    );
  });

  test('the holder says how long its lease lasts', () => {
    expect(decide({ spec: { ...held, leaseDurationSeconds: 60 }, sinceSeconds: 50 }, 'me', 100)).toBe('wait');
  });
});

describe('seeing', () => {
  test('the same record again does not make it younger, any change does', () => {
    const first = see(undefined, held, 10);
    expect(see(first, { ...held }, 20)).toEqual({ spec: held, sinceSeconds: 10 });
    for (const change of [{ renewTime: 'x' }, { holderIdentity: 'y' }, { leaseTransitions: 5 }]) {
      expect(see(first, { ...held, ...change }, 20).sinceSeconds).toBe(20);
    }
  });
});

describe('writing', () => {
  test('times have the six digits that the API server insists on', () => {
    const { acquireTime, renewTime } = nextSpec('create', undefined, 'me', 15, now);
    expect([acquireTime, renewTime]).toEqual(['2026-03-01T08:00:00.103000Z', '2026-03-01T08:00:00.103000Z']);
  });

  test('renewing keeps since when and how often, taking counts one more', () => {
    expect(nextSpec('renew', held, 'me', 15, now)).toMatchObject({
      acquireTime: held.acquireTime,
      leaseTransitions: 4,
    });
    expect(nextSpec('take', held, 'me', 15, now)).toMatchObject({
      acquireTime: '2026-03-01T08:00:00.103000Z',
      leaseTransitions: 5,
    });
  });

  test('a released lease is there for the taking', () => {
    const seen = see(undefined, releasedSpec(held, now), 100);
    expect(decide(seen, 'another', 100)).toBe('take');
  });
});
