import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ALL_FIT, newShare, type ServiceRecord } from '../../../operator/plan/failover/records.ts';
import { recalled } from '../../../operator/plan/hub/recall.ts';
import { anyGrant, anyRecord, CITIES } from './any-record.ts';

const KEY = 'city/traffic';
const grant = (epoch: number, floor: number) => ({ epoch, session: 's', floor, ceiling: floor });
const live = (city: string, epoch: number, floor: number) => ({ city, key: KEY, grant: grant(epoch, floor) });
const stored: ServiceRecord = {
  key: KEY,
  epoch: 5,
  shares: new Map([['porto', { ...newShare('porto'), assigned: 2, grant: grant(5, 2), mayHold: 4 }]]),
  waiting: 0,
  unfit: ALL_FIT,
  isProvisional: false,
};

test('without record and shares there is nothing to remember', () => {
  expect(recalled(KEY, undefined, [])).toBeUndefined();
});

test('shares that the record knows say nothing', () => {
  expect(recalled(KEY, stored, [live('porto', 5, 2), live('faro', 4, 1)])).toBe(stored);
});

test('a record that is lost is made from the shares, and goes on above all their epochs', () => {
  const record = recalled(KEY, undefined, [live('porto', 7, 2), live('faro', 9, 0)]);
  expect(record).toMatchObject({ epoch: 9, isProvisional: true });
  expect(record?.shares.get('porto')).toMatchObject({
    assigned: 2,
    mayHold: 2,
    grant: { epoch: 7, floor: 2 },
  });
  expect(record?.shares.get('faro')).toMatchObject({ assigned: 0, mayHold: 0, grant: { epoch: 9 } });
});

test('an older record, as from a backup, is brought up to what was granted since', () => {
  const record = recalled(KEY, stored, [live('porto', 8, 1)]);
  expect(record?.epoch).toBe(8);
  expect(record?.shares.get('porto')).toMatchObject({ grant: { epoch: 8, floor: 1 }, mayHold: 4 });
});

test('no grant that is out is ever above the epoch or beyond what may be held', () => {
  const anyLive = fc.uniqueArray(
    fc.record({ city: fc.constantFrom(...CITIES), key: fc.constant(KEY), grant: anyGrant }),
    { maxLength: 4, selector: ({ city }) => city },
  );
  fc.assert(
    fc.property(fc.option(anyRecord, { nil: undefined }), anyLive, (record, shares) => {
      const result = recalled(KEY, record, shares);
      for (const share of shares) {
        if (share.grant.epoch === 0) continue;
        expect(result!.epoch).toBeGreaterThanOrEqual(share.grant.epoch);
        if (share.grant.epoch > (record?.epoch ?? 0)) {
          expect(result!.shares.get(share.city)!.mayHold).toBeGreaterThanOrEqual(share.grant.ceiling);
        }
      }
      expect(result?.epoch ?? 0).toBeGreaterThanOrEqual(record?.epoch ?? 0);
    }),
  );
});
