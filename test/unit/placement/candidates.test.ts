import { describe, expect, test } from '@jest/globals';
import { candidatesFor } from '../../../operator/plan/placement/candidates.ts';
import type { City } from '../../../operator/plan/placement/city.ts';
import { city, placement } from './builders.ts';

const taint = (effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute') => ({
  taints: [{ key: 'roof', effect }],
});
const inRegion = (region: string) => ({ matchLabels: { region } });
const judged = (spec: object, more: Partial<City>) => {
  const [candidate] = candidatesFor(placement(spec), [
    city('porto', 8, { labels: { region: 'norte' }, ...more }),
  ]);
  return candidate!;
};

describe('the verdict on a city', () => {
  test.each<[string, object, Partial<City>, string, RegExp]>([
    ['nothing asked', {}, {}, 'Open', /^$/],
    ['residency', { residency: inRegion('sul') }, {}, 'Forbidden', /outside spec.placement.residency/],
    ['residency kept', { residency: inRegion('norte') }, {}, 'Open', /^$/],
    ['selector', { selector: inRegion('sul') }, {}, 'Leave', /spec.placement.selector/],
    ['no group', { groups: [{ name: 'own', selector: inRegion('sul') }] }, {}, 'Leave', /no group/],
    ['no topology', { spread: { topologyKey: 'grid' } }, {}, 'Leave', /has no label grid/],
    ['the city as topology', { spread: { topologyKey: 'aicity.io/city' } }, {}, 'Open', /^$/],
    ['drained', {}, { isDraining: true }, 'Leave', /drained/],
    ['silent', {}, { condition: 'Silent' }, 'Closed', /silent/],
    [
      'silent and drained: nothing can be told',
      {},
      { condition: 'Silent', isDraining: true },
      'Closed',
      /silent/,
    ],
    [
      'silent and forbidden: the law first',
      { residency: inRegion('sul') },
      { condition: 'Silent' },
      'Forbidden',
      /outside/,
    ],
    ['settling', {}, { condition: 'Settling' }, 'LastResort', /come back/],
    ['NoSchedule', {}, taint('NoSchedule'), 'Keep', /taint roof:NoSchedule/],
    ['NoExecute', {}, taint('NoExecute'), 'Leave', /taint roof:NoExecute/],
    ['PreferNoSchedule', {}, taint('PreferNoSchedule'), 'LastResort', /taint roof:PreferNoSchedule/],
    ['tolerated', { tolerations: [{ key: 'roof', operator: 'Exists' }] }, taint('NoExecute'), 'Open', /^$/],
  ])('%s', (_what, spec, more, kind, because) => {
    const { verdict } = judged(spec, more);
    expect(verdict.kind).toBe(kind);
    expect(verdict.because).toMatch(because);
  });

  test('the first group that has the city counts', () => {
    const groups = [
      { name: 'own', selector: inRegion('sul') },
      { name: 'near', selector: inRegion('norte') },
      { name: 'any', selector: {} },
    ];
    expect(judged({ groups }, {}).group).toBe(1);
  });
});

describe('the score of a city', () => {
  const scores = (spec: object, cities: readonly City[]) =>
    Object.fromEntries(
      candidatesFor(placement(spec), cities).map(({ city: { name }, score }) => [name, score]),
    );

  test('adds up the weights of the preferred selectors that match', () => {
    const preferred = [
      { weight: 30, selector: inRegion('norte') },
      { weight: 5, selector: { matchExpressions: [{ key: 'gpu', operator: 'Exists' }] } },
    ];
    const cities = [
      city('porto', 1, { labels: { region: 'norte', gpu: 'l4' } }),
      city('braga', 1, { labels: { region: 'norte' } }),
      city('faro'),
    ];
    expect(scores({ preferred }, cities)).toEqual({ porto: 35, braga: 30, faro: 0 });
  });

  test('is in proportion to the cheapest and the cleanest; what is not known counts as the worst', () => {
    const cities = [
      city('porto', 1, { pricePerHour: 1, carbonIntensity: 200 }),
      city('faro', 1, { pricePerHour: 2, carbonIntensity: 50 }),
      city('braga', 1, {}),
    ];
    expect(scores({ weights: { price: 60, carbonIntensity: 40 } }, cities)).toEqual({
      porto: 70,
      faro: 70,
      braga: 0,
    });
  });

  test('a city that may take nothing sets no mark for the others', () => {
    const cities = [
      city('porto', 1, { pricePerHour: 2 }),
      city('faro', 1, { pricePerHour: 1, isDraining: true }),
    ];
    expect(scores({ weights: { price: 100 } }, cities)).toMatchObject({ porto: 100 });
  });

  test('power that costs nothing is simply the cheapest', () => {
    const cities = [city('porto', 1, { pricePerHour: 0 }), city('faro', 1, { pricePerHour: 3 })];
    expect(scores({ weights: { price: 10 } }, cities)).toEqual({ porto: 10, faro: 0 });
  });
});
