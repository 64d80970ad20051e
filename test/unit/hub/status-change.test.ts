import { expect, test } from '@jest/globals';
import type { ModelServiceStatus } from '../../../crds/model-service.ts';
import { placedChange } from '../../../operator/plan/hub/status-change.ts';
import { summaryOf } from './region.ts';

const region = {
  porto: { assigned: 2, claim: { running: 2, ready: 1, busyPercent: 40, requestsPerSecond: 10 } },
  faro: { assigned: 1, claim: { running: 1, ready: 1 } },
};
const status = summaryOf(region);

function withShare(change: object): ModelServiceStatus {
  const [first, ...others] = status.placement!.shares!;
  return { ...status, placement: { ...status.placement!, shares: [{ ...first!, ...change }, ...others] } };
}

test('the same is no change, and anything is one where there was nothing', () => {
  expect(placedChange(status, structuredClone(status))).toBe('None');
  expect(placedChange(undefined, status)).toBe('More');
});

test('figures of a city and since when a replica is missing can wait', () => {
  const busier = { ...region, porto: { ...region.porto, claim: { ...region.porto.claim, busyPercent: 80 } } };
  expect(placedChange(status, summaryOf(busier))).toBe('FiguresOnly');
  expect(placedChange(status, withShare({ missingSinceMs: 7 }))).toBe('FiguresOnly');
});

test('what was granted, and what is ready, is told at once', () => {
  const ready = { ...region, porto: { ...region.porto, claim: { ...region.porto.claim, ready: 2 } } };
  expect(placedChange(status, summaryOf(ready))).toBe('More');
  expect(placedChange(status, withShare({ mayHold: 3 }))).toBe('More');
});
