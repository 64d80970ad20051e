/**
 * What each city offers a service: a slot with its room, its score and what it holds already. Here verdicts, room and
 * scores come together; dividing knows slots only.
 */
import type { Candidate, Verdict } from './candidates.ts';
import { hasScores } from './candidates.ts';
import type { PlacementRequest } from './city.ts';
import type { Ledger } from './ledger.ts';
import type { CitySlot } from './spread.ts';
import { tieBreak } from './tie-break.ts';

export interface SlotOptions {
  readonly takes: (candidate: Candidate) => boolean;
  /** Whether cities of the last resort take new replicas. */
  readonly isLastResort: boolean;
  /** Counts to begin with instead of the present ones. */
  readonly from?: ReadonlyMap<string, number>;
  /** Whether services of a lower priority have to make room. */
  readonly displaces?: boolean;
}

export function slotsFor(
  request: PlacementRequest,
  candidates: readonly Candidate[],
  ledger: Ledger,
  options: SlotOptions,
): CitySlot[] {
  const { placement } = request;
  const slots: CitySlot[] = [];
  const isScored = hasScores(placement);
  const hash = tieBreak(request.key);
  const holdings = ledger.holdings(request.key, request.shares.keys());
  const roomIn = ledger.rooms(request.demand);
  for (const candidate of candidates) {
    if (!options.takes(candidate) || takesNothing(candidate.verdict)) continue;
    const { name } = candidate.city;
    const { current, isOpen, isLast } = standingOf(candidate, request, options);
    const has = holdings.get(name) ?? 0;
    const free = options.displaces ? ledger.roomFor(name, request) : roomIn(name);
    const room = Math.max(0, free + has);
    // Where the city has shrunk, those of a lower priority lose their place first.
    const kept = free < 0 ? Math.min(current, ledger.roomFor(name, request) + has) : current;
    const held = Math.max(room, kept);
    const most = Math.min(request.replicas, isOpen ? held : Math.min(current, held));
    // A full group still counts for the skew; elsewhere a full city plays no part.
    if (most === 0 && placement.spread === undefined) continue;
    slots.push({
      key: name,
      domain: candidate.domain,
      tier: (isLast ? LAST_RESORT_TIER : 0) + candidate.group,
      weight: isScored ? candidate.score : 1,
      least: 0,
      most,
      current,
      ready: request.shares.get(name)?.ready ?? 0,
      tie: Math.min(room, MOST_ROOM) + hash(name),
    });
  }
  return isScored ? withRoomScores(slots, placement.weights?.freeCapacity ?? 0) : slots;
}

function takesNothing({ kind }: Verdict): boolean {
  return kind === 'Closed' || kind === 'Leave' || kind === 'Forbidden';
}

/** What the city begins with, whether it takes more, and whether only what fits nowhere else. */
function standingOf(
  { city: { name }, verdict: { kind } }: Candidate,
  { shares, unfit }: PlacementRequest,
  { isLastResort, from }: SlotOptions,
): { current: number; isOpen: boolean; isLast: boolean } {
  const { assigned, ready } = shares.get(name) ?? { assigned: 0, ready: 0 };
  // Where replicas do not become ready, those that are stay and the others are looked for a better place.
  const isUnfit = unfit?.has(name) ?? false;
  const current = from?.get(name) ?? (isUnfit ? Math.min(assigned, ready) : assigned);
  const isOpen = kind !== 'Keep' && (isLastResort || (kind === 'Open' && !isUnfit));
  // What stands in a last resort stays there: only new replicas go elsewhere first.
  const isLast = isUnfit ? isLastResort : kind === 'LastResort' && current === 0;
  return { current, isOpen, isLast };
}

const LAST_RESORT_TIER = 1_000;
/** Beyond this, more room makes no city better. */
export const MOST_ROOM = 1_000_000;

/** Adds what free room scores. */
function withRoomScores(slots: readonly CitySlot[], freeCapacity: number): CitySlot[] {
  if (freeCapacity === 0) return [...slots];
  const mostRoom = slots.reduce((most, slot) => Math.max(most, Math.floor(slot.tie)), 1);
  return slots.map((slot) => ({
    ...slot,
    weight: slot.weight + (freeCapacity * Math.floor(slot.tie)) / mostRoom,
  }));
}
