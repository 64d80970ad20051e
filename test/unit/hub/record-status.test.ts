import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlacementRecord } from '../../../crds/placement-record.ts';
import { placementStatus, serviceRecord } from '../../../operator/plan/hub/record-status.ts';
import { anyRecord, NOW } from './any-record.ts';

test('what is stored is what is read back, and the definition allows it', () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const stored = JSON.parse(JSON.stringify(placementStatus(record)));
      expect(PlacementRecord.parse(stored)).toEqual(stored);
      expect(serviceRecord(record.key, stored, NOW)).toEqual(record);
    }),
  );
});

test('what was read is stored as it was, byte for byte, in whatever order the cities came', () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const text = JSON.stringify(placementStatus(record));
      const backwards = { ...record, shares: new Map([...record.shares].reverse()) };
      expect(JSON.stringify(placementStatus(backwards))).toBe(text);
      expect(JSON.stringify(placementStatus(serviceRecord(record.key, JSON.parse(text), NOW)))).toBe(text);
    }),
  );
});

test('what another clock dated into the future counts as now', () => {
  fc.assert(
    fc.property(anyRecord, fc.integer({ min: 0, max: NOW }), (record, nowMs) => {
      const { shares, movingSinceMs = 0 } = serviceRecord(record.key, placementStatus(record), nowMs);
      const times = [...shares.values()].flatMap(({ standing, missingSinceMs = 0 }) => [
        missingSinceMs,
        standing.phase === 'Serving' ? 0 : standing.sinceMs,
      ]);
      expect(Math.max(movingSinceMs, 0, ...times)).toBeLessThanOrEqual(nowMs);
    }),
  );
});
