/**
 * All services onto all cities, the highest priority first. What stands is entered before anybody new is placed, so a
 * service keeps its place against its equals and gives way only to a higher priority.
 */
import type { Placement, WaitingReason } from '../../../crds/placement.ts';
import { type Candidate, candidatesFor } from './candidates.ts';
import type { City, PlacementRequest } from './city.ts';
import { Ledger } from './ledger.ts';
import { enteredReplicas, type Placed, place } from './place.ts';
import type { Candidates } from './plain.ts';
import { whyWaiting } from './why-waiting.ts';

export interface ServicePlacement extends Omit<Placed, 'displaced' | 'crowdedIn'> {
  /** Cities in which the service must make room for a higher priority. */
  readonly yieldsIn: ReadonlySet<string>;
  readonly candidates: readonly Candidate[];
  /** Set when replicas wait. */
  readonly why?: { readonly reason: WaitingReason; readonly message: string };
}

export interface PlaceAllOptions {
  /** Services to look at; the others keep what they have unless they must make room. Absent: all. */
  readonly only?: ReadonlySet<string>;
}

/** @returns the placements of the services that were looked at, by key; the order of the inputs does not matter */
export function placeAll(
  requests: readonly PlacementRequest[],
  cities: readonly City[],
  { only }: PlaceAllOptions = {},
): Map<string, ServicePlacement> {
  const ledger = new Ledger(cities);
  const byKey = new Map(requests.map((request) => [request.key, request]));
  for (const request of requests) {
    for (const [city, share] of request.shares) ledger.add(city, request, enteredReplicas(share));
  }
  const wanted = requests.filter(({ key }) => only?.has(key) ?? true);
  return placeInto(ledger, wanted, cities, (key) => byKey.get(key)!);
}

/**
 * @param ledger with what every service has; it is brought to the result
 * @param wanted the services to look at
 * @param requestOf of a service that must make room for one of them
 */
export function placeInto(
  ledger: Ledger,
  wanted: readonly PlacementRequest[],
  cities: readonly City[],
  requestOf: (key: string) => PlacementRequest,
): Map<string, ServicePlacement> {
  const sorted = [...cities].sort((a, b) => (a.name < b.name ? -1 : 1));
  const candidates = memoised((placement) => candidatesFor(placement, sorted));
  const results = new Map<string, ServicePlacement>();
  const yields = new Map<string, Set<string>>();
  const queue = [...wanted].sort(byPriority);
  const queued = new Set(queue.map(({ key }) => key));
  for (let at = 0; at < queue.length; at++) {
    const request = queue[at]!;
    const yieldsIn = yields.get(request.key) ?? new Set<string>();
    const possible = candidates(request.placement);
    const { displaced, crowdedIn, ...placed } = place(yielding(request, yieldsIn, ledger), possible, ledger);
    const why = placed.waiting > 0 ? whyWaiting(request, placed.waiting, possible.all, ledger) : undefined;
    results.set(request.key, {
      ...placed,
      yieldsIn: new Set([...yieldsIn, ...crowdedIn]),
      candidates: possible.all,
      ...(why ? { why } : {}),
    });
    for (const [city, victims] of displaced) {
      for (const victim of victims) {
        yields.set(victim, (yields.get(victim) ?? new Set()).add(city));
        if (queued.has(victim)) continue;
        queued.add(victim);
        insert(queue, requestOf(victim));
      }
    }
  }
  return results;
}

/** A victim has a lower priority than who displaced it, so its turn is still to come. */
function insert(queue: PlacementRequest[], request: PlacementRequest): void {
  const at = queue.findIndex((other) => byPriority(request, other) < 0);
  queue.splice(at < 0 ? queue.length : at, 0, request);
}

/** The request as it is after others have taken room from it. */
function yielding(
  request: PlacementRequest,
  yieldsIn: ReadonlySet<string>,
  ledger: Ledger,
): PlacementRequest {
  if (yieldsIn.size === 0) return request;
  const shares = new Map(request.shares);
  for (const city of yieldsIn) {
    const share = shares.get(city);
    if (!share) continue;
    const assigned = Math.min(share.assigned, ledger.replicas(city, request.key));
    shares.set(city, { ...share, assigned, ready: Math.min(share.ready, assigned), isYielding: true });
  }
  return { ...request, shares };
}

function byPriority(a: PlacementRequest, b: PlacementRequest): number {
  return b.priority - a.priority || (a.key < b.key ? -1 : 1);
}

const spellings = new WeakMap<Placement, string>();

function spelled(placement: Placement): string {
  const known = spellings.get(placement);
  if (known !== undefined) return known;
  const text = JSON.stringify(placement);
  spellings.set(placement, text);
  return text;
}

/** Services often share one placement word for word, and judging five hundred cities is most of the work. */
function memoised(judge: (placement: Placement) => Candidate[]): (placement: Placement) => Candidates {
  const known = new Map<string, Candidates>();
  return (placement) => {
    const key = spelled(placement);
    const found = known.get(key);
    if (found) return found;
    const all = judge(placement);
    const made = { all, byCity: new Map(all.map((candidate) => [candidate.city.name, candidate])) };
    known.set(key, made);
    return made;
  };
}
