/**
 * Which differences between two reports are worth a reconcile. A pod reports every other second; its figures wobble
 * all the time, and nobody is helped by a status write for each wobble.
 */
import type { LoadReport } from '../../crds/load-report.ts';

/** Busy share moves visibly by this much. */
const BUSY_STEP = 0.05;
/** Everything else moves visibly by a quarter of the larger value. */
const RELATIVE_STEP = 0.25;

/** `told` is the report that readers last heard of, so that many small steps add up to one that counts. */
export function differsForPeople(told: LoadReport, now: LoadReport): boolean {
  return factsOf(told) !== factsOf(now) || loadDiffers(told.load, now.load);
}

/** All that is not a measurement, in a comparable form. The time of the last inference is one. */
function factsOf({ startedAt, state, serving, loading, error }: LoadReport): string {
  return JSON.stringify([
    startedAt,
    state,
    serving && [serving.revision, serving.version, serving.format, serving.digest],
    serving?.lastInferenceAt !== undefined,
    loading && [loading.revision, loading.message],
    error && [error.revision, error.reason, error.message],
  ]);
}

function loadDiffers(told: LoadReport['load'], now: LoadReport['load']): boolean {
  return (
    Math.abs(told.busyShare - now.busyShare) >= BUSY_STEP ||
    crossesZero(told.busyShare, now.busyShare) ||
    stepped(told.queued, now.queued) ||
    stepped(told.queueTimeMilliseconds, now.queueTimeMilliseconds) ||
    stepped(told.requestsPerSecond, now.requestsPerSecond) ||
    stepped(told.rejectedPerSecond, now.rejectedPerSecond) ||
    gpusDiffer(told.gpus ?? [], now.gpus ?? [])
  );
}

type Gpus = NonNullable<LoadReport['load']['gpus']>;

function gpusDiffer(told: Gpus, now: Gpus): boolean {
  if (told.length !== now.length) return true;
  const used = ({ memoryUsedBytes, memoryBytes }: Gpus[number]) => memoryUsedBytes / Math.max(1, memoryBytes);
  return now.some((gpu, index) => {
    const before = told[index] as Gpus[number];
    return (
      Math.abs((before.utilization ?? 0) - (gpu.utilization ?? 0)) >= BUSY_STEP ||
      Math.abs(used(before) - used(gpu)) >= BUSY_STEP
    );
  });
}

/** Appearing and vanishing always count, or an idle service would keep showing its last small load. */
function stepped(told: number, now: number): boolean {
  return crossesZero(told, now) || Math.abs(told - now) > RELATIVE_STEP * Math.max(told, now);
}

function crossesZero(a: number, b: number): boolean {
  return (a === 0) !== (b === 0);
}
