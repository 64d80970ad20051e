/** What was added at first is as what was set. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Ledger } from '../../../operator/plan/placement/ledger.ts';

const cities = ['faro', 'porto'].map((name) => ({ name, capacity: { gpu: 8, cpu: 4.5 } }));
const claimants = ['a', 'b', 'c'].map((key, priority) => ({
  key,
  priority,
  demand: [
    { resource: 'gpu', amount: 1 },
    { resource: 'cpu', amount: 0.1 + priority },
  ],
}));

const step = fc.record({
  city: fc.constantFrom('faro', 'porto', 'unknown'),
  who: fc.constantFrom(...claimants),
  replicas: fc.nat(4),
});

function seen(ledger: Ledger) {
  return ['faro', 'porto', 'unknown'].map((city) => ({
    entries: [...ledger.entriesOf(city)].map(({ key, replicas }) => [key, replicas]).sort(),
    rooms: claimants.map((claimant) => [
      ledger.replicas(city, claimant.key),
      ledger.room(city, claimant.demand).toFixed(3),
      ledger.rooms(claimant.demand)(city).toFixed(3),
      ledger.roomFor(city, claimant).toFixed(3),
    ]),
  }));
}

test('what a service has in a city is the same whether it was added at first or set', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(step, { selector: ({ city, who }) => `${city}/${who.key}` }),
      fc.array(step, { maxLength: 4 }),
      (first, later) => {
        const [added, set] = [new Ledger(cities), new Ledger(cities)];
        for (const { city, who, replicas } of first) {
          added.add(city, who, replicas);
          set.set(city, who, replicas);
        }
        for (const { city, who, replicas } of later)
          for (const ledger of [added, set]) ledger.set(city, who, replicas);
        expect(seen(added)).toEqual(seen(set));
        for (const ledger of [added, set]) ledger.makeRoom('faro', claimants[2]!, 8);
        expect(seen(added)).toEqual(seen(set));
      },
    ),
  );
});
