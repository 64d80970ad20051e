import { describe, expect, test } from '@jest/globals';
import type { CityKnowledge } from '../../../operator/plan/failover/records.ts';
import { rhythmFor, settingsFor } from '../../../operator/plan/failover/rhythm.ts';
import { placeable, sightsOf } from '../../../operator/plan/failover/sights.ts';
import { ALWAYS_THERE } from '../../../operator/plan/failover/steadiness.ts';

const AWAKE = 1_000_000;
const settings = settingsFor(rhythmFor(90_000));
const LATE = AWAKE + settings.lateAfterMs;
const lost = { isAbsent: true, isSettling: false, losses: 1, changedAtMs: AWAKE - 60_000 };
const porto: CityKnowledge = {
  name: 'porto',
  labels: {},
  taints: [],
  isDraining: false,
  capacity: {},
  session: 's1',
  claims: new Map(),
  views: new Map(),
  steadiness: lost,
};

/** What a hub that is awake since AWAKE makes of porto, one look after the other. */
function looks(...moments: readonly { readonly atMs: number; readonly city?: Partial<CityKnowledge> }[]) {
  let { steadiness } = porto;
  return moments.map(({ atMs, city }) => {
    const sight = sightsOf([{ ...porto, steadiness, ...city }], atMs, AWAKE, settings).get('porto')!;
    steadiness = sight.steadiness;
    return { steadiness, condition: placeable(sight).condition };
  });
}

describe('a city that was lost when the hub woke up', () => {
  test('is not back before it is heard, and its one loss is counted once', () => {
    const found = looks({ atMs: AWAKE }, { atMs: LATE }, { atMs: LATE + 600_000 });
    expect(found).toEqual(Array(3).fill({ steadiness: lost, condition: 'Silent' }));
  });

  test.each([
    ['before the pause in which the hub slept', AWAKE - 1, lost, 'Silent'],
    ['since', AWAKE + 1, { ...lost, isAbsent: false, isSettling: true, changedAtMs: AWAKE + 1 }, 'Settling'],
  ])('which was heard of %s', (_when, heardAtMs, steadiness, condition) => {
    const city = { heardAtMs, reportedAtMs: heardAtMs };
    expect(looks({ atMs: AWAKE }, { atMs: AWAKE + 1, city })[1]).toEqual({ steadiness, condition });
  });
});

test('a city that was there when the hub woke up is lost when it stays silent', () => {
  const city = { steadiness: ALWAYS_THERE };
  const [first, second] = looks({ atMs: AWAKE, city }, { atMs: LATE, city });
  expect(first).toEqual({ steadiness: ALWAYS_THERE, condition: 'Silent' });
  expect(second?.steadiness).toEqual({ isAbsent: true, isSettling: false, losses: 1, changedAtMs: LATE });
});
