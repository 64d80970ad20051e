/** The load of a service as its status shows it. */
import type { LoadReport } from '../../crds/load-report.ts';
import type { ModelServiceStatus } from '../../crds/model-service.ts';

export type LoadStatus = NonNullable<ModelServiceStatus['load']>;

/** A busy share that has moved by less is not worth a write, in points of percent. */
const BUSY_STEP_PERCENT = 3;
/** The same for every other figure, as a part of the larger value. */
const RELATIVE_STEP = 0.15;

/**
 * Means and sums over the replicas that report. Figures that have hardly moved keep their previous value, so that a
 * busy service does not write its status all the time.
 */
export function loadStatus(
  reports: readonly LoadReport[],
  previous: LoadStatus | undefined,
): LoadStatus | undefined {
  if (reports.length === 0) return undefined;
  const loads = reports.map(({ load }) => load);
  const total = (of: (load: LoadReport['load']) => number) => loads.reduce((sum, load) => sum + of(load), 0);
  const requests = total(({ requestsPerSecond }) => requestsPerSecond);
  const waited = total((load) => load.queueTimeMilliseconds * load.requestsPerSecond);
  return {
    busyPercent: steadyPercent(
      previous?.busyPercent,
      Math.round((100 * total(({ busyShare }) => busyShare)) / loads.length),
    ),
    queueTimeMilliseconds: Math.round(
      steady(previous?.queueTimeMilliseconds, requests === 0 ? 0 : waited / requests),
    ),
    queued: Math.round(
      steady(
        previous?.queued,
        total(({ queued }) => queued),
      ),
    ),
    requestsPerSecond: steady(previous?.requestsPerSecond, requests),
    rejectedPerSecond: steady(
      previous?.rejectedPerSecond,
      total((load) => load.rejectedPerSecond),
    ),
    reportingReplicas: reports.length,
    ...gpuFigures(
      loads.flatMap(({ gpus = [] }) => gpus),
      previous,
    ),
  };
}

type Gpu = NonNullable<LoadReport['load']['gpus']>[number];

function gpuFigures(
  gpus: readonly Gpu[],
  previous: LoadStatus | undefined,
): Pick<LoadStatus, 'gpuUtilizationPercent' | 'gpuMemoryPercent'> {
  const utilizations = gpus.flatMap(({ utilization }) => utilization ?? []);
  const memory = gpus.filter(({ memoryBytes }) => memoryBytes > 0);
  const mean = utilizations.reduce((sum, each) => sum + each, 0) / utilizations.length;
  const fullest = Math.max(
    ...memory.map(({ memoryUsedBytes, memoryBytes }) => memoryUsedBytes / memoryBytes),
  );
  const percent = (before: number | undefined, share: number) =>
    steadyPercent(before, Math.round(100 * share));
  return {
    ...(utilizations.length > 0 && {
      gpuUtilizationPercent: percent(previous?.gpuUtilizationPercent, mean),
    }),
    ...(memory.length > 0 && { gpuMemoryPercent: percent(previous?.gpuMemoryPercent, fullest) }),
  };
}

export function steadyPercent(previous: number | undefined, next: number): number {
  if (previous === undefined || crossesZero(previous, next)) return next;
  return Math.abs(previous - next) < BUSY_STEP_PERCENT ? previous : next;
}

/** `next` in two significant digits, or `previous` while it is about the same. */
export function steady(previous: number | undefined, next: number): number {
  const rounded = Number(next.toPrecision(2));
  if (previous === undefined || crossesZero(previous, rounded)) return rounded;
  return Math.abs(previous - next) <= RELATIVE_STEP * Math.max(previous, next) ? previous : rounded;
}

function crossesZero(a: number, b: number): boolean {
  return (a === 0) !== (b === 0);
}
