import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Agenda } from '../../region/simulator/agenda.ts';
import { Network } from '../../region/simulator/network.ts';
import { Random } from '../../region/simulator/random.ts';

describe('random numbers', () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => random.whole(0, 1_000_000));
  };

  test('are the same for a seed, and others for another', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test('lie within their bounds and reach both ends', () => {
    const random = new Random(1);
    const drawn = new Set(Array.from({ length: 300 }, () => random.whole(2, 5)));
    expect([...drawn].sort()).toEqual([2, 3, 4, 5]);
  });

  test('are spread evenly', () => {
    const random = new Random(3);
    const below = Array.from({ length: 10_000 }, () => random.chance(0.3)).filter(Boolean).length;
    expect(below / 10_000).toBeCloseTo(0.3, 1);
  });
});

describe('the agenda', () => {
  test('lets everything happen in the order of its time, and of its planning at the same time', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 }), (delays) => {
        const agenda = new Agenda();
        const seen: [number, number][] = [];
        delays.forEach((delay, at) => {
          agenda.after(delay, () => seen.push([agenda.nowMs, at]));
        });
        agenda.runUntil(100);
        const expected = delays
          .map((delay, at): [number, number] => [delay, at])
          .sort(([a, first], [b, second]) => a - b || first - second);
        expect(seen).toEqual(expected);
      }),
    );
  });

  test('what is planned meanwhile happens too, and what is later does not', () => {
    const agenda = new Agenda();
    const seen: number[] = [];
    const again = (): void => {
      seen.push(agenda.nowMs);
      agenda.after(10, again);
    };
    agenda.after(5, again);
    agenda.runUntil(30);
    expect(seen).toEqual([5, 15, 25]);
    expect(agenda.nowMs).toBe(30);
  });
});

describe('the network', () => {
  const deliver = (prepare: (network: Network, agenda: Agenda) => void): number => {
    const agenda = new Agenda();
    const network = new Network(agenda, new Random(1));
    let arrived = 0;
    prepare(network, agenda);
    for (let i = 0; i < 200; i++) network.send('porto', 'faro', () => arrived++);
    agenda.runUntil(60_000);
    return arrived;
  };

  test('delivers nearly everything in fair weather, some of it twice', () => {
    const arrived = deliver(() => {});
    expect(arrived).toBeGreaterThan(195);
    expect(arrived).toBeLessThan(215);
  });

  test('delivers nothing over a link that is cut, nor what was under way when it was cut', () => {
    expect(deliver((network) => network.cut('faro', 'porto'))).toBe(0);
    expect(deliver((network, agenda) => agenda.after(1, () => network.cut('porto', 'faro')))).toBe(0);
  });

  test('delivers again when it is healed', () => {
    const healed = deliver((network) => {
      network.cut('porto', 'faro');
      network.heal('faro', 'porto');
    });
    expect(healed).toBeGreaterThan(195);
  });

  test('loses as much as its weather says', () => {
    const arrived = deliver((network) => network.setWeather('faro', { lossShare: 0.5, slowestMs: 1_000 }));
    expect(arrived).toBeGreaterThan(70);
    expect(arrived).toBeLessThan(130);
  });
});
