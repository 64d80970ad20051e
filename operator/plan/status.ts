/** The status of a service: one object, made from the situation alone. */
import type { ConditionType, ServiceCondition } from '../../crds/conditions.ts';
import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService, ModelServiceStatus } from '../../crds/model-service.ts';
import { canonicalJson } from './canonical-json.ts';
import { modelAvailable } from './conditions/model-available.ts';
import { reconciling, stalled } from './conditions/progress.ts';
import { ready } from './conditions/ready.ts';
import { rolledOut } from './conditions/rolled-out.ts';
import { scaled } from './conditions/scaled.ts';
import { scheduled } from './conditions/scheduled.ts';
import type { Judge } from './conditions/verdict.ts';
import { explain } from './explain/explain.ts';
import { loadStatus } from './load.ts';
import { serviceUrl } from './names.ts';
import type { Observed } from './observed.ts';
import { servedModel } from './served-model.ts';
import { type Situation, situationOf } from './situation.ts';
import type { Outcome, Target } from './target.ts';

/** `Placed` and `Routed` are judged on a hub (hub/conditions.ts, hub/routed.ts). */
const JUDGES: Readonly<Record<Exclude<ConditionType, 'Placed' | 'Routed'>, Judge>> = {
  Ready: ready,
  Reconciling: reconciling,
  Stalled: stalled,
  ModelAvailable: modelAvailable,
  Scheduled: scheduled,
  Scaled: scaled,
  RolledOut: rolledOut,
};

/** The whole status, given what was observed, what was to be done and what became of it. */
export function summarise(
  service: ModelService,
  observed: Observed,
  target: Target,
  outcomes: readonly Outcome[],
): ModelServiceStatus {
  const situation = situationOf(service, observed, target, outcomes);
  const { replicas, ready: verified, wanted } = situation;
  const load = loadOf(situation);
  return {
    observedGeneration: service.metadata.generation,
    replicas: replicas.length,
    readyReplicas: verified,
    updatedReplicas: replicas.filter(({ updated }) => updated).length,
    readyOfWanted: `${Math.min(verified, wanted)}/${wanted}`,
    selector: Object.entries(selectorLabels(service.metadata.name))
      .map(([name, value]) => `${name}=${value}`)
      .join(','),
    url: serviceUrl(service),
    model: servedModel(situation),
    ...(load ? { load } : {}),
    conditions: conditionsOf(situation),
  };
}

/** What differs between two statuses, so that a change of load alone can wait. */
export function statusChange(
  before: ModelServiceStatus | undefined,
  after: ModelServiceStatus,
): 'None' | 'LoadOnly' | 'More' {
  if (canonicalJson(before) === canonicalJson(after)) return 'None';
  const { load: _before, ...restBefore } = before ?? {};
  const { load: _after, ...restAfter } = after;
  return canonicalJson(restBefore) === canonicalJson(restAfter) ? 'LoadOnly' : 'More';
}

function loadOf({ observed, replicas, service }: Situation): ModelServiceStatus['load'] {
  const reports = replicas.map(({ report }) => report).filter((report) => report !== undefined);
  const previous = service.status?.load;
  const isTooEarly = !observed.reportsSettled && reports.length < (previous?.reportingReplicas ?? 0);
  return isTooEarly ? previous : loadStatus(reports, previous);
}

function conditionsOf(situation: Situation): ServiceCondition[] {
  const findings = explain(situation);
  const { observed, service } = situation;
  return Object.entries(JUDGES).map(([type, judge]) => {
    const verdict = judge(situation, findings);
    const before = service.status?.conditions?.find((condition) => condition.type === type);
    return {
      type: type as ConditionType,
      ...verdict,
      observedGeneration: service.metadata.generation,
      lastTransitionTime: before?.status === verdict.status ? before.lastTransitionTime : observed.now,
    };
  });
}
