import { beforeEach, describe, expect, test } from '@jest/globals';
import type { LoadReport } from '../../../crds/load-report.ts';
import { REPORT_STALE_AFTER_SECONDS } from '../../../crds/pod-contract.ts';
import { ReportRegistry } from '../../../operator/reports/registry.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { loadReport } from './load-report.ts';

describe('ReportRegistry', () => {
  let clock: FakeClock;
  let registry: ReportRegistry;
  let told: string[];
  beforeEach(() => {
    clock = new FakeClock();
    registry = new ReportRegistry({ clock });
    told = [];
    registry.onChange(({ namespace, service }) => told.push(`${namespace}/${service}`));
  });
  const only = () => registry.of('city', 'traffic')[0]!;

  test('keeps the newest report of each replica, by service and by namespace', () => {
    registry.accept(loadReport());
    registry.accept(loadReport({ pod: { name: 'traffic-2', uid: 'uid-2' } }));
    registry.accept(loadReport({ pod: { name: 'air-1', uid: 'uid-3' }, service: 'air' }));
    registry.accept(loadReport({ pod: { namespace: 'elsewhere', uid: 'uid-4' } }));
    registry.accept(loadReport({ sequence: 2, state: 'Draining' }));
    const uids = (replicas: ReturnType<ReportRegistry['of']>) => replicas.map(({ pod }) => pod.uid).sort();
    expect(uids(registry.of('city', 'traffic'))).toEqual(['uid-1', 'uid-2']);
    expect(uids(registry.of('city', 'nothing'))).toEqual([]);
    expect(uids(registry.inNamespace('city'))).toEqual(['uid-1', 'uid-2', 'uid-3']);
    expect(only().report.state).toBe('Draining');
  });

  test.each<[string, Partial<LoadReport>, 'accepted' | 'outOfOrder']>([
    ['the next report', { sequence: 8 }, 'accepted'],
    ['a report that was overtaken', { sequence: 6 }, 'outOfOrder'],
    ['the same report again', { sequence: 7 }, 'outOfOrder'],
    ['the first report of a newer process', { startedAt: 2000, sequence: 0 }, 'accepted'],
    ['a late report of an older process', { startedAt: 500, sequence: 99 }, 'outOfOrder'],
  ])('%s', (_, changes, expected) => {
    registry.accept(loadReport({ startedAt: 1000, sequence: 7 }));
    expect(registry.accept(loadReport({ startedAt: 1000, ...changes }))).toBe(expected);
    const kept = expected === 'accepted' ? changes : { startedAt: 1000, sequence: 7 };
    expect(only().report).toMatchObject(kept);
  });

  test('a pod whose clock was set back before it restarted is heard again', () => {
    registry.accept(loadReport({ startedAt: 9000, sequence: 7 }));
    clock.freeze(REPORT_STALE_AFTER_SECONDS + 1);
    expect(registry.accept(loadReport({ startedAt: 1000, sequence: 0 }))).toBe('accepted');
  });

  test('a report ages by the monotonic clock alone and turns stale', () => {
    registry.accept(loadReport());
    clock.jumpWall(3600);
    clock.freeze(REPORT_STALE_AFTER_SECONDS);
    expect(registry.ageSeconds(only())).toBe(REPORT_STALE_AFTER_SECONDS);
    expect(registry.isFresh(only())).toBe(true);
    clock.freeze(0.1);
    expect(registry.isFresh(only())).toBe(false);
  });

  test('staleness is told once, and so is the return', () => {
    registry.accept(loadReport());
    told = [];
    registry.sweep();
    clock.freeze(11);
    registry.sweep();
    registry.sweep();
    expect(told).toEqual(['city/traffic']);
    registry.accept(loadReport({ sequence: 2 }));
    registry.accept(loadReport({ sequence: 3 }));
    expect(told).toEqual(['city/traffic', 'city/traffic']);
  });

  test('a pod that is gone is forgotten and told of', () => {
    registry.accept(loadReport());
    told = [];
    registry.forget('uid-1');
    registry.forget('uid-1');
    expect(registry.inNamespace('city')).toEqual([]);
    expect(told).toEqual(['city/traffic']);
  });

  test('a pod that changed its service is counted once', () => {
    registry.accept(loadReport());
    registry.accept(loadReport({ service: 'air', sequence: 2 }));
    expect(registry.of('city', 'traffic')).toEqual([]);
    expect(registry.of('city', 'air')).toHaveLength(1);
    expect(told).toEqual(['city/traffic', 'city/traffic', 'city/air']);
  });

  test('a new leader judges nobody until everybody could have reported', () => {
    expect(registry.settled).toBe(false);
    clock.freeze(100);
    expect(registry.settled).toBe(false);
    registry.beginListening();
    registry.accept(loadReport());
    expect(registry.secondsUntilSettled).toBe(REPORT_STALE_AFTER_SECONDS);
    told = [];
    clock.freeze(4);
    registry.sweep();
    expect([registry.settled, registry.secondsUntilSettled, told.length]).toEqual([false, 6, 0]);
    clock.freeze(6);
    registry.sweep();
    registry.sweep();
    expect([registry.settled, told]).toEqual([true, ['city/traffic']]);
  });

  test('listeners can leave', () => {
    const heard: string[] = [];
    const end = registry.onChange(({ service }) => heard.push(service));
    registry.accept(loadReport());
    end();
    registry.forget('uid-1');
    expect(heard).toEqual(['traffic']);
  });

  describe('tells only what people would see', () => {
    test.each<[string, Parameters<typeof loadReport>[0], boolean]>([
      ['nothing new', {}, false],
      [
        'a newer inference',
        { serving: { ...loadReport().serving!, lastInferenceAt: 1_700_000_009_000 } },
        false,
      ],
      [
        'a wobble of the load',
        { load: { busyShare: 0.52, queueTimeMilliseconds: 13, requestsPerSecond: 104 } },
        false,
      ],
      ['requests in flight', { load: { inFlight: 30 } }, false],
      ['another state', { state: 'Failed' }, true],
      ['another process', { startedAt: 1_700_000_500_000 }, true],
      ['another model', { serving: { ...loadReport().serving!, revision: 'abcdef0123' } }, true],
      ['no model any more', { serving: undefined } as never, true],
      ['loading', { loading: { revision: 'abcdef0123', message: 'fetched 3 of 7 files' } }, true],
      ['an error', { error: { revision: 'abcdef0123', reason: 'DigestMismatch', message: 'no' } }, true],
      ['a visibly higher load', { load: { busyShare: 0.56 } }, true],
      ['an idle engine', { load: { busyShare: 0 } }, true],
      ['the first request that waits', { load: { queued: 1 } }, true],
      ['a much longer wait', { load: { queueTimeMilliseconds: 20 } }, true],
      ['half the requests', { load: { requestsPerSecond: 50 } }, true],
      ['requests are refused', { load: { rejectedPerSecond: 0.1 } }, true],
    ])('%s', (_, changes, expected) => {
      registry.accept(loadReport());
      told = [];
      registry.accept(loadReport({ ...changes, sequence: 2 }));
      expect(told.length > 0).toBe(expected);
      expect(only().report.sequence).toBe(2);
    });

    test('GPUs that come, compute more, or fill up', () => {
      const gpus = (memoryUsedBytes: number, utilization: number) => [
        { uuid: 'GPU-1', name: 'Large', memoryBytes: 1000, memoryUsedBytes, utilization },
      ];
      const tells: boolean[] = [];
      for (const [index, each] of [
        [],
        gpus(100, 0.5),
        gpus(120, 0.52),
        gpus(120, 0.6),
        gpus(200, 0.6),
      ].entries()) {
        told = [];
        registry.accept(loadReport({ sequence: index + 1, load: { gpus: each } }));
        tells.push(told.length > 0);
      }
      expect(tells).toEqual([true, true, false, true, true]);
    });

    test('many small steps add up', () => {
      registry.accept(loadReport());
      told = [];
      for (let step = 1; step <= 6; step += 1) {
        registry.accept(loadReport({ sequence: 1 + step, load: { busyShare: 0.5 + 0.01 * step } }));
      }
      expect(told).toEqual(['city/traffic']);
    });
  });
});
