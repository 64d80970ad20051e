/** Any record of a service that the hub may come to remember. */
import fc from 'fast-check';
import { WAITING_REASONS, type WaitingReason } from '../../../crds/placement.ts';
import type { ServiceRecord, ShareRecord } from '../../../operator/plan/failover/records.ts';
import type { Standing } from '../../../operator/plan/failover/standing.ts';

export const NOW = Date.parse('2026-03-01T12:00:00Z');
export const CITIES = ['porto', 'faro', 'lisbon', 'braga'] as const;

const replicas = fc.integer({ min: 0, max: 40 });
const time = fc.integer({ min: 0, max: NOW });
const city = fc.constantFrom(...CITIES);

export const anyGrant = fc
  .record({
    epoch: fc.integer({ min: 0, max: 1000 }),
    session: fc.constantFrom('', 'a', 'b"\\'),
    floor: replicas,
    more: replicas,
  })
  .map(({ floor, more, ...grant }) => ({ ...grant, floor, ceiling: floor + more }));

const anyStanding: fc.Arbitrary<Standing> = fc.oneof(
  fc.constant<Standing>({ phase: 'Serving' }),
  time.map((sinceMs): Standing => ({ phase: 'Suspect', sinceMs })),
  time.map((sinceMs): Standing => ({ phase: 'Confirming', sinceMs })),
  fc
    .tuple(time, city)
    .map(
      ([sinceMs, by]): Standing => ({ phase: 'Confirming', sinceMs, hold: { because: 'SeenByOther', by } }),
    ),
  fc
    .tuple(time, fc.constantFrom('Turn' as const, 'NoSecondView' as const))
    .map(([sinceMs, because]): Standing => ({ phase: 'Confirming', sinceMs, hold: { because } })),
  fc.tuple(time, replicas).map(([sinceMs, held]): Standing => ({ phase: 'Moving', sinceMs, replicas: held })),
  time.map((sinceMs): Standing => ({ phase: 'Moved', sinceMs })),
  time.map((sinceMs): Standing => ({ phase: 'Returning', sinceMs })),
);

const anyShare = fc
  .record({
    assigned: replicas,
    grant: anyGrant,
    mayHold: replicas,
    standing: anyStanding,
    isYielding: fc.boolean(),
    missing: fc.option(time, { nil: undefined }),
  })
  .map(
    ({ missing, ...share }): Omit<ShareRecord, 'city'> => ({
      ...share,
      ...(missing === undefined ? {} : { missingSinceMs: missing }),
    }),
  );

const reasons = Object.keys(WAITING_REASONS) as WaitingReason[];

export const anyRecord: fc.Arbitrary<ServiceRecord> = fc
  .record({
    epoch: fc.integer({ min: 0, max: 1000 }),
    shares: fc.dictionary(city, anyShare),
    waiting: replicas,
    why: fc.option(fc.record({ reason: fc.constantFrom(...reasons), message: fc.string() }), {
      nil: undefined,
    }),
    unfit: fc.dictionary(city, fc.record({ times: fc.integer({ min: 1, max: 9 }), untilMs: time })),
    isProvisional: fc.boolean(),
    moving: fc.option(time, { nil: undefined }),
  })
  .map(({ shares, unfit, why, moving, ...record }) => ({
    ...record,
    key: 'city/traffic',
    // Every grant has had an epoch of the record.
    epoch: Math.max(record.epoch, ...Object.values(shares).map(({ grant }) => grant.epoch)),
    shares: new Map(Object.entries(shares).map(([name, share]) => [name, { ...share, city: name }])),
    unfit: new Map(Object.entries(unfit)),
    ...(why ? { why } : {}),
    ...(moving === undefined ? {} : { movingSinceMs: moving }),
  }));
