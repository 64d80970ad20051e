/** The conditions of a service on a hub: whether it serves, what it waits for, and whether it needs a person. */
import { type ConditionType, REASONS, type Reason } from '../../../crds/conditions.ts';
import type { Verdict } from '../conditions/verdict.ts';
import { needsAPerson } from '../explain/finding.ts';
import type { ServiceIntent, ServiceRecord } from '../failover/records.ts';
import { listed, ofReplicas, quoted, replicaCount } from '../wording.ts';
import type { CityPart } from './parts.ts';

/** All that the conditions of one service are judged from. */
export interface PlacedSituation {
  readonly intent: ServiceIntent;
  readonly record: ServiceRecord;
  readonly parts: readonly CityPart[];
  /** Replicas that serve the wanted model, in cities that are heard. */
  readonly ready: number;
  /** Why the shares of some cities cannot be written, in sentences. */
  readonly refusals: readonly string[];
}

/** One thing that keeps the service from being well. */
interface Cause {
  readonly reason: Reason;
  readonly message: string;
}

export type PlacedConditionType = Extract<ConditionType, 'Ready' | 'Reconciling' | 'Stalled' | 'Placed'>;

export function judgePlaced(situation: PlacedSituation): Record<PlacedConditionType, Verdict> {
  const causes = causesOf(situation);
  return {
    Ready: ready(situation, causes),
    Reconciling: reconciling(situation, causes),
    Stalled: stalled(causes),
    Placed: placed(situation),
  };
}

function ready({ intent, ready, parts }: PlacedSituation, causes: readonly Cause[]): Verdict {
  const { replicas } = intent;
  if (replicas === 0) {
    return { status: 'True', reason: 'ScaledToZero', message: 'no replica is wanted: spec.replicas is 0' };
  }
  if (ready >= replicas) {
    const cities = parts.filter((part) => part.isHeard && part.ready > 0).length;
    const where = `in ${cities === 1 ? '1 city' : `${cities} cities`}`;
    const message = `${replicaCount(ready)} ${ready === 1 ? 'serves' : 'serve'} the wanted model ${where}`;
    return { status: 'True', reason: 'Serving', message };
  }
  const unheard = parts.filter((part) => !part.isHeard).reduce((sum, part) => sum + part.ready, 0);
  const [deepest] = causes;
  const state = ofReplicas(ready, replicas, 'is ready', 'are ready');
  const why = causes.slice(0, MOST_CAUSES).map(({ message }) => message);
  return {
    // Those that are not heard may well be serving.
    status: ready + unheard >= replicas ? 'Unknown' : 'False',
    reason: deepest?.reason ?? 'Progressing',
    message: why.length > 0 ? `${state}: ${why.join('; ')}` : state,
  };
}

const MOST_CAUSES = 4;

function reconciling({ intent, record, ready }: PlacedSituation, causes: readonly Cause[]): Verdict {
  if (causes.some(isStopper)) {
    return { status: 'False', reason: 'UpToDate', message: 'nothing more can be done without a person' };
  }
  const [deepest] = causes;
  if (ready < intent.replicas && deepest) return { status: 'True', ...deepest };
  const onTheWay = [...record.shares.values()]
    .filter(({ assigned, grant, standing }) => assigned !== grant.floor || standing.phase !== 'Serving')
    .map(({ city }) => city)
    .sort();
  if (onTheWay.length > 0 || ready < intent.replicas) {
    const message = `replicas are on their way${onTheWay.length > 0 ? ` in ${listed(onTheWay)}` : ''}`;
    return { status: 'True', reason: 'Moving', message };
  }
  return { status: 'False', reason: 'UpToDate', message: 'all is as wanted' };
}

function stalled(causes: readonly Cause[]): Verdict {
  const stopper = causes.find(isStopper);
  return stopper
    ? { status: 'True', reason: stopper.reason, message: stopper.message }
    : { status: 'False', reason: 'UpToDate', message: 'nothing needs a person' };
}

function placed({ intent, record }: PlacedSituation): Verdict {
  if (intent.replicas === 0) {
    return { status: 'True', reason: 'ScaledToZero', message: 'no replica is wanted' };
  }
  const { waiting, why } = record;
  if (waiting > 0) {
    return {
      status: why?.reason === 'CitiesNotHeard' ? 'Unknown' : 'False',
      reason: why?.reason ?? 'Progressing',
      message: why?.message ?? `${ofReplicas(waiting, intent.replicas, 'waits', 'wait')} for a city`,
    };
  }
  const cities = [...record.shares.values()]
    .filter(({ assigned }) => assigned > 0)
    .map(({ city, assigned }) => `${city} (${assigned})`)
    .sort();
  return {
    status: 'True',
    reason: 'Placed',
    message: `${replicaCount(intent.replicas)} ${intent.replicas === 1 ? 'has' : 'have'} a city: ${listed(cities)}`,
  };
}

/** The deepest first: what a city says is wrong, what has no city, who is silent, and what only takes its time. */
function causesOf(situation: PlacedSituation): Cause[] {
  const { parts, record, refusals } = situation;
  const told = parts.filter(isShort).map(causeIn);
  const silent = parts.filter((part) => !part.isHeard && isMeantForMore(part)).map(silentCause);
  const refused = refusals.map((message): Cause => ({ reason: 'InvalidSpec', message }));
  const waits: Cause[] =
    record.waiting > 0 && record.why ? [{ reason: record.why.reason, message: record.why.message }] : [];
  return [
    ...refused,
    ...told.filter(({ reason }) => !PASSING.has(reason)),
    ...waits,
    ...silent,
    ...told.filter(({ reason }) => PASSING.has(reason)),
  ];
}

/** Reasons that pass by themselves. */
const PASSING: ReadonlySet<Reason> = new Set<Reason>([
  'Progressing',
  'PodsStarting',
  'ModelLoading',
  'NoReports',
  'ReplicasDraining',
  'Moving',
  'Serving',
]);

function isMeantForMore({ share }: CityPart): boolean {
  return (share?.assigned ?? 0) > 0 || (share?.grant.floor ?? 0) > 0;
}

function isShort(part: CityPart): boolean {
  return part.isHeard && part.readyOfWanted < (part.share?.assigned ?? 0);
}

function causeIn({ city, claim, share }: CityPart): Cause {
  const { grant, assigned } = share!;
  if (claim?.message) {
    return { reason: known(claim.reason), message: `${city}: ${quoted(claim.message)}` };
  }
  if (grant.floor < assigned) {
    return { reason: 'Moving', message: `${city}: waits until others have made room` };
  }
  const message = claim ? 'replicas are starting' : 'has not taken up its share yet';
  return { reason: 'Progressing', message: `${city}: ${message}` };
}

function silentCause({ city, ready, isSeenByOther }: CityPart): Cause {
  const seen = isSeenByOther ? ', but another city sees it' : '';
  return {
    reason: 'CityNotHeard',
    message: `${city} is silent${seen}, and had ${replicaCount(ready)} ready when it was heard of last`,
  };
}

/** A reason of a city that runs another version of this operator may be unknown here. */
function known(reason: string | undefined): Reason {
  return reason !== undefined && Object.hasOwn(REASONS, reason) ? (reason as Reason) : 'Progressing';
}

function isStopper({ reason, message }: Cause): boolean {
  return reason === 'NoCityAllowed' || needsAPerson({ reason, message, about: 'Objects' });
}
