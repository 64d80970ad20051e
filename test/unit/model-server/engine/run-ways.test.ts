import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type RunPlan, type RunWay, RunWays } from '../../../../model-server/engine/run-ways.ts';

/** What a run takes each way, in milliseconds. */
type Takes = (plan: RunPlan, run: number) => number;

/** The plans of so many runs, each of which took what `takes` says; waiting for a thread takes 0.05 ms. */
function plans(
  ways: RunWays,
  count: number,
  takes: Takes,
  size = { bytes: 4096, rows: 8 },
  callerShare = 0,
  abreast = 1,
): RunPlan[] {
  return Array.from({ length: count }, (_, run) => {
    const plan = ways.plan(size, { callerShare, abreast });
    const computed = takes(plan, run);
    if (plan.company !== 'Abreast') {
      ways.took(size, plan.way, { computed, elapsed: plan.way === 'Here' ? computed : computed + 0.05 });
    }
    return plan;
  });
}

const idle = { callerShare: 0, abreast: 1 };
const waysOf = (made: readonly RunPlan[]) => made.map(({ way }) => way);
const times = (way: RunWay, count: number): RunWay[] => new Array(count).fill(way);
const share = (chosen: readonly RunWay[], way: RunWay) =>
  chosen.filter((each) => each === way).length / chosen.length;
const fixed =
  (milliseconds: Partial<Record<RunWay, number>>): Takes =>
  ({ way }) =>
    milliseconds[way] ?? milliseconds.OneThread ?? 0;

describe('short runs', () => {
  const short = fixed({ OneThread: 0.05, Wide: 0.3 });

  test('are done on the spot once enough of them have shown to be short', () => {
    expect(waysOf(plans(new RunWays(2), 16, short))).toEqual([
      ...times('Wide', 6),
      ...times('OneThread', 8),
      ...times('Here', 2),
    ]);
  });

  test('say nothing about larger ones', () => {
    const ways = new RunWays(2);
    plans(ways, 16, short);
    expect(ways.plan({ bytes: 5000, rows: 8 }, idle).way).toBe('Here');
    expect(ways.plan({ bytes: 100_000, rows: 8 }, idle).way).not.toBe('Here');
  });

  test('stay there after a single one that took long, and leave for a while after a few', () => {
    const ways = new RunWays(2);
    plans(ways, 16, short);
    const slowAtFirst =
      (slow: number): Takes =>
      (plan, run) =>
        run < slow ? 40 : short(plan, run);
    expect(waysOf(plans(ways, 20, slowAtFirst(1)))).toEqual(times('Here', 20));
    const after = waysOf(plans(ways, 2500, slowAtFirst(10)));
    expect(after.slice(0, 5)).toContain('Here');
    expect(after.slice(10, 20)).not.toContain('Here');
    expect(after.at(-1)).toBe('Here');
  });

  test('do so with a single core, too, where there is nothing else to try', () => {
    const chosen = waysOf(plans(new RunWays(1), 10, short));
    expect(chosen).toEqual([...times('OneThread', 8), ...times('Here', 2)]);
  });
});

describe('longer runs', () => {
  test.each<[string, Partial<Record<RunWay, number>>, RunWay]>([
    ['one thread when nothing is quicker', { OneThread: 1, Divided: 1.1, Wide: 1.2 }, 'OneThread'],
    ['one thread when others are hardly quicker', { OneThread: 1, Divided: 0.95, Wide: 0.9 }, 'OneThread'],
    ['shares of the rows', { OneThread: 1, Divided: 0.6, Wide: 0.9 }, 'Divided'],
    ['all threads', { OneThread: 4, Divided: 3, Wide: 1.5 }, 'Wide'],
  ])('have %s', (_, takes, best) => {
    const chosen = waysOf(plans(new RunWays(4), 3000, fixed(takes)));
    expect(chosen.slice(0, 18)).toEqual([
      ...times('Wide', 6),
      ...times('OneThread', 6),
      ...times('Divided', 6),
    ]);
    expect(share(chosen, best)).toBeGreaterThan(0.97);
    for (const way of ['OneThread', 'Divided', 'Wide'] as const) {
      expect(chosen.slice(18).includes(way)).toBe(true);
    }
  });

  test('follow the load: when cores are busy, dividing rows is no longer worth it, and afterwards it is again', () => {
    const ways = new RunWays(2);
    const idle = fixed({ OneThread: 1, Divided: 0.55, Wide: 0.9 });
    const busy = fixed({ OneThread: 1.2, Divided: 1.3, Wide: 2 });
    expect(waysOf(plans(ways, 100, idle)).at(-1)).toBe('Divided');
    expect(waysOf(plans(ways, 100, busy)).at(-1)).toBe('OneThread');
    expect(waysOf(plans(ways, 1200, idle)).at(-1)).toBe('Divided');
  });

  test.each<[string, number, number, RunWay]>([
    ['is idle', 2, 0, 'Divided'],
    ['is busy and there are few cores', 2, 0.9, 'OneThread'],
    ['is busy and there are enough cores', 16, 0.9, 'Divided'],
  ])('when the thread that reads requests %s, others count accordingly', (_, cores, callerShare, best) => {
    const takes = fixed({ OneThread: 1, Divided: 0.7, Wide: 0.9 });
    const size = { bytes: 4096, rows: 8 };
    expect(waysOf(plans(new RunWays(cores), 50, takes, size, callerShare)).at(-1)).toBe(best);
  });

  test('first runs that prepare what later ones use are forgotten', () => {
    const slow = new Set([0, 1, 6, 12, 13, 14]);
    const takes: Takes = (plan, run) =>
      slow.has(run) ? 300 : fixed({ OneThread: 1, Divided: 0.6, Wide: 0.9 })(plan, run);
    expect(waysOf(plans(new RunWays(2), 30, takes)).at(-1)).toBe('Divided');
  });

  test('single slow runs do not change the way', () => {
    const takes: Takes = (plan, run) =>
      fixed({ OneThread: 1, Divided: 0.6, Wide: 0.9 })(plan, run) * (run % 10 === 5 ? 2 : 1);
    const chosen = waysOf(plans(new RunWays(2), 1000, takes)).slice(20);
    expect(share(chosen, 'Divided')).toBeGreaterThan(0.95);
  });

  test('a way that is out of the question is tried again only after long, and once', () => {
    const takes = fixed({ OneThread: 1, Divided: 0.9, Wide: 3 });
    const chosen = waysOf(plans(new RunWays(2), 2500, takes)).slice(18);
    expect(chosen.slice(0, 900)).toContain('Divided');
    expect(chosen.filter((way) => way === 'Wide')).toHaveLength(1);
  });

  test('two ways that are about as good do not take turns', () => {
    const takes: Takes = ({ way }, run) => (way === 'Divided' ? 0.9 + Math.sin(run) / 20 : 1);
    const chosen = waysOf(plans(new RunWays(2), 1000, takes)).slice(20);
    expect(share(chosen, chosen.at(-1) as RunWay)).toBeGreaterThan(0.95);
  });
});

describe('heavy runs', () => {
  test('are never slowed down to see what one thread would take', () => {
    const ways = new RunWays(16);
    const heavy = fixed({ OneThread: 900, Divided: 70, Wide: 60 });
    expect(waysOf(plans(ways, 1200, heavy, { bytes: 4096, rows: 1 }))).toEqual(times('Wide', 1200));
  });

  test('are dealt out when there are rows for all cores', () => {
    const heavy = fixed({ Divided: 40, Wide: 60 });
    const few = waysOf(plans(new RunWays(16), 600, heavy, { bytes: 4096, rows: 15 }));
    expect(few).toEqual(times('Wide', 600));
    const enough = plans(new RunWays(16), 600, heavy, { bytes: 4096, rows: 16 });
    expect(enough.at(-1)).toMatchObject({ way: 'Divided', shares: 16 });
    expect(waysOf(enough)).not.toContain('OneThread');
  });
});

describe('shares', () => {
  const divided = (cores: number, rows: number, oneThread: number) =>
    plans(new RunWays(cores), 100, fixed({ OneThread: oneThread, Divided: oneThread / 4, Wide: oneThread }), {
      bytes: 4096,
      rows,
    }).at(-1);

  test.each([
    ['as many as cores', 4, 32, 4, 4],
    ['no more than rows', 8, 3, 4, 3],
    ['none so short that handing it over counts', 64, 64, 1, 5],
    ['at least two', 64, 64, 0.3, 2],
  ])('%s', (_, cores, rows, milliseconds, shares) => {
    expect(divided(cores, rows, milliseconds)).toMatchObject({ way: 'Divided', shares });
  });

  test('a single row has none', () => {
    const chosen = waysOf(plans(new RunWays(4), 600, fixed({ OneThread: 1 }), { bytes: 4096, rows: 1 }));
    expect(chosen).not.toContain('Divided');
  });
});

describe('runs abreast', () => {
  const size = { bytes: 4096, rows: 32 };
  /** What is planned for so many runs at once after so many, one by one, which took what `takes` says. */
  const abreast = (cores: number, takes: Partial<Record<RunWay, number>>, count: number, of = size) => {
    const ways = new RunWays(cores);
    plans(ways, 60, fixed(takes), of);
    return plans(ways, 1, fixed(takes), of, 0, count)[0] as RunPlan;
  };
  const divided = { OneThread: 8, Divided: 1, Wide: 4 };

  test.each([
    ['two, as many as cores', 2, 2, { way: 'OneThread' }],
    ['more than cores', 2, 3, { way: 'OneThread' }],
    ['two on many cores', 16, 2, { way: 'Divided', shares: 8 }],
    ['five on many cores', 16, 5, { way: 'Divided', shares: 3 }],
    ['nine on many cores', 16, 9, { way: 'OneThread' }],
  ])('share the cores: %s', (_, cores, count, plan) => {
    expect(abreast(cores, divided, count)).toEqual({ ...plan, company: 'Abreast' });
  });

  test('have one thread each where dealing rows out was not worth it anyway', () => {
    const plan = abreast(16, { OneThread: 1, Divided: 1, Wide: 2 }, 2);
    expect(plan).toEqual({ way: 'OneThread', company: 'Abreast' });
  });

  test('go one after the other with all threads where that is best and cores are enough', () => {
    const wide = { OneThread: 15, Wide: 3 };
    const one = { ...size, rows: 1 };
    expect(abreast(16, wide, 4, one)).toEqual({ way: 'Wide', company: 'Alone' });
    expect(abreast(16, wide, 16, one)).toEqual({ way: 'OneThread', company: 'Abreast' });
  });

  test('heavy ones go one after the other', () => {
    const heavy = { Divided: 40, Wide: 60 };
    expect(abreast(2, heavy, 8)).toEqual({ way: 'Divided', shares: 2, company: 'Alone' });
  });

  test('short ones are done on the spot', () => {
    expect(abreast(2, { OneThread: 0.05, Wide: 0.3 }, 8).way).toBe('Here');
  });

  test('are none before every way is known, nor teach anything', () => {
    const ways = new RunWays(2);
    const first = plans(ways, 18, fixed(divided), size, 0, 4);
    expect(first.map(({ company }) => company)).toEqual(new Array(18).fill('Alone'));
    expect(plans(ways, 2000, fixed(divided), size, 0, 4)).toEqual(
      new Array(2000).fill({ way: 'OneThread', company: 'Abreast' }),
    );
    expect(plans(ways, 1, fixed(divided), size)[0]?.way).toBe('Divided');
  });
});

test('a trial has the cores for itself', () => {
  const ways = new RunWays(4);
  const made = plans(ways, 400, fixed({ OneThread: 1, Divided: 0.6, Wide: 0.9 })).slice(18);
  expect(made.some(({ way }) => way === 'OneThread')).toBe(true);
  for (const { way, company } of made) expect(company).toBe(way === 'Divided' ? 'Allowed' : 'Alone');
});

test('whatever runs take, a plan is possible, and shares are no more than cores and rows', () => {
  const size = fc.record({ bytes: fc.nat({ max: 1e9 }), rows: fc.integer({ min: 1, max: 100 }) });
  const cores = fc.integer({ min: 1, max: 64 });
  const callerShare = fc.double({ min: 0, max: 1, noNaN: true });
  const abreast = fc.integer({ min: 1, max: 80 });
  const run = fc.tuple(size, abreast, fc.double({ min: 0, max: 1000, noNaN: true }));
  fc.assert(
    fc.property(cores, callerShare, fc.array(run, { maxLength: 60 }), (cores, callerShare, runs) => {
      const ways = new RunWays(cores);
      for (const [each, abreast, milliseconds] of runs) {
        const plan = ways.plan(each, { callerShare, abreast });
        const { way } = plan;
        if (plan.way === 'Divided') {
          expect(plan.shares).toBeGreaterThanOrEqual(2);
          expect(plan.shares).toBeLessThanOrEqual(Math.min(cores, each.rows));
        }
        if (cores === 1) expect(['OneThread', 'Here']).toContain(way);
        ways.took(each, way, { computed: milliseconds, elapsed: milliseconds });
      }
    }),
  );
});
