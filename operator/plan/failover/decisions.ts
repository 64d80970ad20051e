/**
 * `status.decisions[]`: one record per city that has, had or is to have replicas, with its reason in a sentence. Nothing
 * in a sentence changes by the mere passing of time, so a status at rest is not written again.
 */
import type { DecisionReason, PlacementDecision } from '../../../crds/placement.ts';
import { candidatesFor, type Verdict } from '../placement/candidates.ts';
import { listed, ofReplicas, replicaCount } from '../wording.ts';
import { NOTHING_REPORTED, type ServiceIntent, type ServiceRecord, type ShareRecord } from './records.ts';
import { type CitySight, placeable } from './sights.ts';
import { type Hold, isCounted, type Standing } from './standing.ts';

type Told = Pick<PlacementDecision, 'reason' | 'message'>;

interface Matter {
  readonly intent: ServiceIntent;
  readonly record: ServiceRecord;
  readonly share: ShareRecord;
  readonly sight: CitySight;
  readonly verdict: Verdict;
  readonly ready: number;
}

/** @param sights of the look that the record comes from */
export function decisionsOf(
  intent: ServiceIntent,
  record: ServiceRecord,
  sights: ReadonlyMap<string, CitySight>,
): PlacementDecision[] {
  return [...record.shares.values()]
    .flatMap((share) => {
      const sight = sights.get(share.city);
      return sight ? [decisionOn({ intent, record, share, sight, ...known(intent, sight) })] : [];
    })
    .sort((a, b) => (a.city < b.city ? -1 : 1));
}

function known(intent: ServiceIntent, sight: CitySight): Pick<Matter, 'verdict' | 'ready'> {
  const [candidate] = candidatesFor(intent.placement, [placeable(sight)]);
  const { ready } = sight.city.claims.get(intent.key) ?? NOTHING_REPORTED;
  return { verdict: candidate!.verdict, ready };
}

function decisionOn(matter: Matter): PlacementDecision {
  const { city, assigned } = matter.share;
  return { city, replicas: assigned, ...(forbidden(matter) ?? byStanding(matter)) };
}

function forbidden({ verdict, share, sight }: Matter): Told | undefined {
  if (verdict.kind !== 'Forbidden') return undefined;
  const when = sight.isSilent ? 'as soon as the city is heard' : 'at once';
  return {
    reason: 'ResidencyForbids',
    message: `${share.city} ${verdict.because}: ${leavers(share)} withdrawn ${when}`,
  };
}

function byStanding(matter: Matter): Told {
  const { share, sight, intent } = matter;
  const { standing, city } = share;
  const { floor } = share.grant;
  switch (standing.phase) {
    case 'Serving':
      return serving(matter);
    case 'Suspect':
      return {
        reason: 'Suspect',
        message: `${city} is silent since ${heardAt(standing, sight)}; its ${counted(floor, 'counts', 'count')} for ${intent.placement.failover.graceSeconds} s before others start elsewhere`,
      };
    case 'Confirming':
      return confirming(matter, standing.hold);
    case 'Moving':
      return {
        reason: 'Lost',
        message: `${city} is lost; ${counted(standing.replicas, 'starts', 'start')} elsewhere`,
      };
    case 'Moved':
      return {
        reason: 'Replaced',
        message: `${city} is lost and replaced; the ${counted(floor, 'that it may still run is', 'that it may still run are')} withdrawn when it returns`,
      };
    case 'Returning':
      return {
        reason: 'Returning',
        message: `${city} is back and has reported ${replicaCount(floor)}; ${counted(share.assigned, 'stays', 'stay')}`,
      };
  }
}

function confirming({ share: { city } }: Matter, hold: Hold | undefined): Told {
  switch (hold?.because) {
    case 'SeenByOther':
      return {
        reason: 'SeenByOther',
        message: `${city} is cut off from the hub, but ${hold.by} sees it: its replicas stay where they are`,
      };
    case 'Turn':
      return {
        reason: 'WaitsForTurn',
        message: `${city} is lost; enough services are on the move already, this one follows`,
      };
    case 'NoSecondView':
    case undefined:
      return {
        reason: 'Confirming',
        message: `${city} is silent; other cities are asked whether they see it`,
      };
  }
}

function serving(matter: Matter): Told {
  const { share, ready } = matter;
  const { city, assigned, grant } = share;
  if (grant.floor > assigned) return leaving(matter);
  if (grant.floor < assigned) {
    return {
      reason: 'WaitsForRoom',
      message: `${counted(assigned - grant.floor, 'waits', 'wait')} for room in ${city} until others have gone`,
    };
  }
  if (ready < assigned) return starting(matter);
  if (matter.verdict.kind === 'Keep') {
    return { reason: 'KeepsOnly', message: `${city} ${matter.verdict.because}: it takes no new replicas` };
  }
  const most = grant.ceiling > grant.floor ? ` and may run up to ${grant.ceiling}` : '';
  return { reason: 'Placed', message: `${city} guarantees ${replicaCount(assigned)}${most}` };
}

function leaving({ record, share, verdict }: Matter): Told {
  const { city, isYielding } = share;
  if (isYielding) {
    return {
      reason: 'Yielding',
      message: `${leavers(share)} withdrawn from ${city} to make room: a higher priority needs it, or the city has shrunk`,
    };
  }
  const why =
    verdict.kind === 'Leave' ? `${city} ${verdict.because}` : `${city} is to have ${share.assigned}`;
  const stuck = record.waiting > 0 ? `; ${counted(record.waiting, 'has', 'have')} no other place yet` : '';
  return {
    reason: 'Leaving',
    message: `${why}: ${leavers(share)} withdrawn as others become ready elsewhere${stuck}`,
  };
}

function starting({ record, share, ready }: Matter): Told {
  const { city, assigned } = share;
  const { times = 0 } = record.unfit.get(city) ?? {};
  if (times > 0) {
    return {
      reason: 'NotBecomingReady',
      message: `${ofReplicas(ready, assigned, 'is ready', 'are ready')} in ${city}, where others have not become ready either; any other city with room is tried first`,
    };
  }
  const lost = [...record.shares.values()]
    .filter(({ standing }) => !isCounted(standing))
    .map((one) => one.city);
  const state = ofReplicas(ready, assigned, 'is ready', 'are ready');
  const reason: DecisionReason = lost.length > 0 ? 'StandsIn' : 'Starting';
  const instead = lost.length > 0 ? `, standing in for ${listed(lost.sort())}` : '';
  return { reason, message: `${state} in ${city}${instead}` };
}

/** `2 replicas are`, to be followed by what happens to them. */
function leavers({ grant, assigned }: ShareRecord): string {
  return counted(Math.max(0, grant.floor - assigned), 'is', 'are');
}

function counted(count: number, one: string, many: string): string {
  return `${replicaCount(count)} ${count === 1 ? one : many}`;
}

/** When a city that is late was heard of last; it does not move while the city stays silent. */
function heardAt(standing: Standing & { readonly sinceMs: number }, { city }: CitySight): string {
  return new Date(city.heardAtMs ?? standing.sinceMs).toISOString();
}
