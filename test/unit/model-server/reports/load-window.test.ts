import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LoadReport } from '../../../../crds/load-report.ts';
import { figuresBetween, type LoadSample, LoadWindow } from '../../../../model-server/reports/load-window.ts';

const zero: LoadSample = {
  atMilliseconds: 0,
  engineSeconds: 0,
  runSeconds: 0,
  loopSeconds: 0,
  waitedRequests: 0,
  waitedMilliseconds: 0,
  answeredRequests: 0,
  rejectedRequests: 0,
};
const at = (seconds: number, more: Partial<LoadSample> = {}): LoadSample => ({
  ...zero,
  atMilliseconds: 1000 * seconds,
  ...more,
});

test('figures are rates and shares of the time between', () => {
  const last = at(10, {
    engineSeconds: 4,
    runSeconds: 5,
    waitedRequests: 20,
    waitedMilliseconds: 500,
    answeredRequests: 30,
    rejectedRequests: 5,
  });
  expect(figuresBetween(zero, last)).toEqual({
    busyShare: 0.4,
    queueTimeMilliseconds: 25,
    requestsPerSecond: 3,
    rejectedPerSecond: 0.5,
    windowSeconds: 10,
  });
});

test.each([
  ['a model is loaded and nobody asks', { engineSeconds: 10, runSeconds: 0 }, 0],
  ['requests wait for a load now and then', { engineSeconds: 10, runSeconds: 2 }, 0.2],
  ['the way to the engine takes longer than the run', { engineSeconds: 1, runSeconds: 4 }, 0.1],
  ['reading requests is the bottleneck', { engineSeconds: 2, runSeconds: 3, loopSeconds: 9 }, 0.9],
  ['the process is at rest, which takes some time, too', { loopSeconds: 0.1 }, 0],
  ['a thread is measured a little late', { engineSeconds: 10.1, runSeconds: 10.1 }, 1],
])('busy when %s', (_what, more, share) => {
  expect(figuresBetween(zero, at(10, more)).busyShare).toBeCloseTo(share);
});

describe('the window', () => {
  test('looks back as far as it is long', () => {
    const window = new LoadWindow(12);
    let figures = window.add(at(0));
    for (let second = 2; second <= 60; second += 2) {
      const busy = Math.min(second, 30);
      figures = window.add(at(second, { engineSeconds: busy, runSeconds: busy }));
      if (second === 30) expect(figures.busyShare).toBe(1);
      if (second === 36) expect(figures.busyShare).toBeCloseTo(0.5);
    }
    expect(figures).toMatchObject({ busyShare: 0, windowSeconds: 12 });
  });

  test('its figures always fit into a report', () => {
    const step = fc.record({
      seconds: fc.double({ min: 0, max: 1000, noNaN: true }),
      busy: fc.double({ min: 0, max: 100, noNaN: true }),
      count: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1 }), (steps) => {
        const window = new LoadWindow();
        const now = { ...zero };
        for (const { seconds, busy, count } of steps) {
          now.atMilliseconds += 1000 * seconds;
          now.engineSeconds += busy;
          now.runSeconds += busy / 2;
          now.waitedRequests += count;
          now.waitedMilliseconds += 7 * count;
          now.answeredRequests += count;
          const load = { ...window.add({ ...now }), queued: 0, inFlight: 0 };
          expect(LoadReport.shape.load.safeParse(load).success).toBe(true);
        }
      }),
    );
  });
});
