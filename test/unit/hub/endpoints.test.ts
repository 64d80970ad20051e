import { describe, expect, test } from '@jest/globals';
import { newShare } from '../../../operator/plan/failover/records.ts';
import { endpointsOf } from '../../../operator/plan/hub/endpoints.ts';
import type { CityPart } from '../../../operator/plan/hub/parts.ts';

/** A city that is heard and was granted what is ready in it. */
function part(city: string, ready: number, more: Partial<CityPart> = {}, ceiling = ready): CityPart {
  return {
    city,
    isHeard: true,
    isSeenByOther: false,
    isTwoAgents: false,
    running: ready,
    ready,
    answering: ready,
    readyOfWanted: ready,
    url: `http://${city}:30000`,
    share: {
      ...newShare(city),
      assigned: ceiling,
      grant: { epoch: 1, session: 's', floor: ceiling, ceiling },
    },
    ...more,
  };
}
const weights = (...parts: CityPart[]) =>
  Object.fromEntries(endpointsOf(parts).map(({ city, weight }) => [city, weight]));

describe('clients go', () => {
  test('where replicas are ready, in proportion to them', () => {
    expect(endpointsOf([part('porto', 2), part('faro', 1)])).toEqual([
      { city: 'faro', url: 'http://faro:30000', weight: 1 },
      { city: 'porto', url: 'http://porto:30000', weight: 2 },
    ]);
  });

  test.each<[string, CityPart]>([
    ['with nothing ready', part('porto', 0)],
    ['without an address', { ...part('porto', 1), url: undefined } as unknown as CityPart],
    ['from which all was withdrawn, though it still answers', part('porto', 2, {}, 0)],
    ['that two clusters claim to be', part('porto', 1, { isTwoAgents: true })],
    ['that nobody sees, as long as others serve', part('porto', 1, { isHeard: false })],
  ])('to no city %s', (_what, porto) => {
    expect(weights(porto, part('faro', 1))).toEqual({ faro: 1 });
  });

  test('to a city that still answers with the earlier model, when the wanted one cannot be loaded', () => {
    expect(weights(part('porto', 0, { answering: 2 }, 2))).toEqual({ porto: 2 });
  });

  test('no more often than a city may run replicas in the end', () => {
    expect(weights(part('porto', 3, {}, 1), part('faro', 1))).toEqual({ porto: 1, faro: 1 });
  });

  test('to a silent city that another one sees', () => {
    const silent = part('porto', 1, { isHeard: false, isSeenByOther: true });
    expect(weights(silent, part('faro', 1))).toEqual({ porto: 1, faro: 1 });
  });

  test('to silent cities when nobody else can serve', () => {
    expect(weights(part('porto', 1, { isHeard: false }), part('faro', 0))).toEqual({ porto: 1 });
  });
});
