import type { LoadReport } from '../../../crds/load-report.ts';

type Changes = Partial<Omit<LoadReport, 'load' | 'pod'>> & {
  pod?: Partial<LoadReport['pod']>;
  load?: Partial<LoadReport['load']>;
};

/** A report of a replica that serves at half load, with changes. */
export function loadReport({ pod, load, ...changes }: Changes = {}): LoadReport {
  return {
    pod: { namespace: 'city', name: 'traffic-1', uid: 'uid-1', ...pod },
    service: 'traffic',
    sequence: 1,
    startedAt: 1_700_000_000_000,
    state: 'Serving',
    serving: {
      revision: '0123456789',
      format: 'SavedModel',
      digest: `sha256:${'0'.repeat(64)}`,
      lastInferenceAt: 1_700_000_001_000,
    },
    load: {
      busyShare: 0.5,
      queued: 0,
      inFlight: 1,
      queueTimeMilliseconds: 12.5,
      requestsPerSecond: 100,
      rejectedPerSecond: 0,
      windowSeconds: 10,
      ...load,
    },
    ...changes,
  };
}
