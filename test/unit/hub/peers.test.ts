import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { peersOf } from '../../../operator/plan/hub/peers.ts';

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', 'c') }));

test('everybody looks at three others, and is looked at by three', () => {
  fc.assert(
    fc.property(names, (cities) => {
      const peers = peersOf(new Map(cities.map((city) => [city, `http://${city}`])), cities);
      const wanted = Math.min(3, cities.length - 1);
      for (const city of cities) {
        const own = peers.get(city)!;
        expect(Object.keys(own)).toHaveLength(wanted);
        expect(own).not.toHaveProperty([city]);
        expect([...peers.values()].filter((others) => Object.hasOwn(others, city))).toHaveLength(wanted);
      }
    }),
  );
});

test('only cities with an address are looked at; those without look all the same', () => {
  const peers = peersOf(new Map([['faro', 'http://faro']]), ['braga', 'faro', 'porto']);
  expect([...peers]).toEqual([
    ['braga', { faro: 'http://faro' }],
    ['faro', {}],
    ['porto', { faro: 'http://faro' }],
  ]);
});
