/** What of a region is worth a Kubernetes event: a city that goes or comes, and what becomes of its replicas. */
import type { CityClusterStatus } from '../../../crds/city-cluster.ts';
import type { CityReason } from '../../../crds/city-conditions.ts';
import type { ModelServiceStatus } from '../../../crds/model-service.ts';
import type { DecisionReason } from '../../../crds/placement.ts';

export interface RegionNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: CityReason | DecisionReason;
  readonly note: string;
}

const GOOD: ReadonlySet<CityReason> = new Set<CityReason>(['Heard', 'Settling', 'Draining', 'Drained']);

/** A city is ready for another reason than before. */
export function cityNote(
  before: CityClusterStatus | undefined,
  after: CityClusterStatus,
): RegionNote | undefined {
  const [was, is] = [before, after].map((status) => status?.conditions?.find(({ type }) => type === 'Ready'));
  if (!is || was?.reason === is.reason) return undefined;
  return { type: GOOD.has(is.reason) ? 'Normal' : 'Warning', reason: is.reason, note: is.message };
}

/** Of the decisions on a service those that a person will ask about afterwards. */
const TOLD: ReadonlyMap<DecisionReason, RegionNote['type']> = new Map<DecisionReason, RegionNote['type']>([
  ['Lost', 'Warning'],
  ['Replaced', 'Warning'],
  ['SeenByOther', 'Warning'],
  ['ResidencyForbids', 'Warning'],
  ['NotBecomingReady', 'Warning'],
  ['Yielding', 'Warning'],
  ['StandsIn', 'Normal'],
  ['Returning', 'Normal'],
]);

export function decisionNotes(
  before: ModelServiceStatus | undefined,
  after: ModelServiceStatus,
): RegionNote[] {
  const old = new Map(before?.decisions?.map(({ city, reason }) => [city, reason]));
  return (after.decisions ?? []).flatMap(({ city, reason, message }) => {
    const type = TOLD.get(reason);
    return type && old.get(city) !== reason ? [{ type, reason, note: message }] : [];
  });
}
