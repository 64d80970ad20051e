/** A replica: a pod together with what it says of itself. */
import type { LoadReport } from '../../crds/load-report.ts';
import { REPORT_STALE_AFTER_SECONDS } from '../../crds/pod-contract.ts';
import type { Pod } from './cluster-objects.ts';
import type { Observed, ObservedReport } from './observed.ts';
import { conditionOf, containerOf, isEnding, isReady, secondsSince } from './pods.ts';
import { isUpdated } from './rollout.ts';

export interface Replica {
  readonly pod: Pod;
  /** Runs the wanted pod template. */
  readonly updated: boolean;
  /** The kubelet finds it ready. */
  readonly ready: boolean;
  /** Its newest report, while that is fresh. */
  readonly report?: LoadReport;
  /**
   * `Heard`: there is a fresh report. `NotYet`: it is too early for one. `Lost`: there should be one, so nothing is
   * known of this replica.
   */
  readonly voice: 'Heard' | 'NotYet' | 'Lost';
  /** Ready, and its fresh report says that it has answered an inference of the wanted model. */
  readonly verified: boolean;
}

/** A ready pod reports at once; the rest allows for the clocks of two machines that differ. */
const REPORT_OF_READY_POD_AFTER_SECONDS = 2 * REPORT_STALE_AFTER_SECONDS;

/** Starting a process that links TensorFlow takes its time on a busy node; then it reports, whatever the model does. */
const FIRST_REPORT_AFTER_SECONDS = 60;

/** The replicas of a service, without those that are on their way out. */
export function replicasOf(observed: Observed, revision: string, templateRevision: string): Replica[] {
  const reports = new Map(observed.reports.map((report) => [report.podUid, report]));
  return observed.pods
    .filter((pod) => !isEnding(pod))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((pod) => replicaOf(pod, reports.get(pod.metadata.uid ?? ''), observed, revision, templateRevision));
}

function replicaOf(
  pod: Pod,
  observedReport: ObservedReport | undefined,
  observed: Observed,
  revision: string,
  templateRevision: string,
): Replica {
  const ready = isReady(pod);
  const report = observedReport?.freshness === 'Fresh' ? observedReport.report : undefined;
  return {
    pod,
    updated: isUpdated(pod, templateRevision),
    ready,
    ...(report ? { report } : {}),
    voice: report ? 'Heard' : voiceOf(pod, observedReport, observed),
    verified: ready && report !== undefined && hasAnswered(report, revision),
  };
}

function hasAnswered({ state, serving }: LoadReport, revision: string): boolean {
  return state === 'Serving' && serving?.revision === revision && serving.lastInferenceAt !== undefined;
}

function voiceOf(
  pod: Pod,
  report: ObservedReport | undefined,
  { now, reportsSettled }: Observed,
): 'NotYet' | 'Lost' {
  if (report) return 'Lost';
  return reportsSettled && secondsOverdue(pod, now) >= 0 ? 'Lost' : 'NotYet';
}

/** Seconds since the first report was due; negative while it is not. */
export function secondsOverdue(pod: Pod, now: string): number {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status === 'True' && ready.lastTransitionTime !== undefined) {
    return secondsSince(ready.lastTransitionTime, now) - REPORT_OF_READY_POD_AFTER_SECONDS;
  }
  const startedAt = containerOf(pod)?.state?.running?.startedAt;
  if (startedAt === undefined) return Number.NEGATIVE_INFINITY;
  return secondsSince(startedAt, now) - FIRST_REPORT_AFTER_SECONDS;
}
