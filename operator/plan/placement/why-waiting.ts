/** Why replicas have no city, in one sentence that counts the cities by what stands in the way. */
import type { WaitingReason } from '../../../crds/placement.ts';
import { listed, ofReplicas } from '../wording.ts';
import type { Candidate, VerdictKind } from './candidates.ts';
import type { PlacementRequest } from './city.ts';
import type { Ledger } from './ledger.ts';

export function whyWaiting(
  request: PlacementRequest,
  waiting: number,
  candidates: readonly Candidate[],
  ledger: Ledger,
): { reason: WaitingReason; message: string } {
  const allowed = candidates.filter(({ verdict: { kind } }) => kind === 'Open' || kind === 'LastResort');
  const withRoom = allowed.filter(({ city }) => ledger.room(city.name, request.demand) > 0);
  const full = allowed.length - withRoom.length;
  const isSpread = withRoom.length > 0 && request.placement.spread !== undefined;
  const takenBy = isSpread ? [] : higher(request, allowed, ledger);
  const facts = [
    ...(full > 0 ? [`${cities(full, 'has', 'have')} no room for ${inWords(request)}`] : []),
    ...(isSpread
      ? [`${cities(withRoom.length, 'has', 'have')} room that spec.placement.spread does not let use`]
      : []),
    ...(takenBy.length > 0 ? [`higher priorities are served first: ${listed(takenBy)}`] : []),
    ...refusals(candidates),
    ...(candidates.length === 0 ? ['no city has joined'] : []),
  ];
  return {
    reason: reasonFor(allowed.length, isSpread, takenBy.length),
    message: `${ofReplicas(waiting, request.replicas, 'waits', 'wait')}: ${facts.join('; ')}`,
  };
}

function reasonFor(allowed: number, isSpread: boolean, takenBy: number): WaitingReason {
  if (allowed === 0) return 'NoCityAllowed';
  if (isSpread) return 'SpreadUnsatisfied';
  return takenBy > 0 ? 'HigherPriorityFirst' : 'InsufficientCapacity';
}

/** Who of a higher priority has room in the allowed cities that the service could use. */
function higher(request: PlacementRequest, allowed: readonly Candidate[], ledger: Ledger): string[] {
  const needed = new Set(request.demand.map(({ resource }) => resource));
  const found = new Map<string, number>();
  for (const { city } of allowed) {
    for (const { key, priority, demand, replicas } of ledger.entriesOf(city.name)) {
      if (priority > request.priority && demand.some(({ resource }) => needed.has(resource))) {
        found.set(key, (found.get(key) ?? 0) + replicas);
      }
    }
  }
  return [...found]
    .sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1))
    .map(([key, replicas]) => `${key} (${replicas})`);
}

function refusals(candidates: readonly Candidate[]): string[] {
  const count = (kind: VerdictKind): number =>
    candidates.filter(({ verdict }) => verdict.kind === kind).length;
  const fact = (kind: VerdictKind, one: string, many: string): string[] =>
    count(kind) > 0 ? [cities(count(kind), one, many)] : [];
  return [
    ...fact('Keep', 'takes no new replicas', 'take no new replicas'),
    ...fact('Closed', 'is silent', 'are silent'),
    ...fact('Leave', 'does not fit spec.placement or is drained', 'do not fit spec.placement or are drained'),
    ...fact('Forbidden', 'is outside spec.placement.residency', 'are outside spec.placement.residency'),
  ];
}

function cities(count: number, one: string, many: string): string {
  return count === 1 ? `1 city ${one}` : `${count} cities ${many}`;
}

function inWords({ demand }: PlacementRequest): string {
  return demand.length === 0
    ? 'it'
    : demand.map(({ resource, amount }) => `${readable(amount)} ${resource}`).join(' and ');
}

/** Bytes as people write them; all else is a small number. */
function readable(amount: number): string {
  const unit = UNITS.find(([, bytes]) => amount >= bytes);
  return unit ? `${Number((amount / unit[1]).toFixed(1))}${unit[0]}` : String(amount);
}

const UNITS = [
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
] as const;
