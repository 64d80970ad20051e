/**
 * From what the cities have to what they should have, one careful step at a time: a rolling update over cities.
 *
 * A city gives up a ready replica only when enough others are ready without it, and takes a replica only when all that
 * the cities may hold together stays within the limit. The limit is the service's maximum; where that leaves no headroom
 * it is the wanted replicas and a quarter more, so that one can start before another one ends.
 */
import type { Bounds } from './claim.ts';

export interface HandoverShare {
  readonly city: string;
  /** Replicas that the city is to guarantee in the end. */
  readonly assigned: number;
  /** Replicas that its autoscaler may reach in the end. */
  readonly ceiling: number;
  /** The most that its autoscaler may use without being in the way of what others are guaranteed. */
  readonly most: number;
  /** What is granted now. */
  readonly grant: Bounds;
  /** The most that the city may hold of all that was granted. */
  readonly mayHold: number;
  readonly running: number;
  readonly ready: number;
  /** Replicas of this service that fit into the city beside all else that runs there. */
  readonly fits: number;
  /** `None`: the city is silent. `Shrink`: it has come back and gets nothing yet. */
  readonly change: 'None' | 'Shrink' | 'Any';
  /** `AtOnce`: residency forbids it, or a higher priority needs the room; nobody waits for a replacement. */
  readonly leaves: 'Gently' | 'AtOnce';
}

export interface HandoverGoal {
  readonly replicas: number;
  readonly maximum: number;
  readonly isAutoscaled: boolean;
  /** Whether replicas may start beside those that they replace: false while enough services are on the move. */
  readonly mayOverlap: boolean;
}

interface Draft {
  readonly share: HandoverShare;
  floor: number;
  ceiling: number;
}

/** The most replicas that all cities together may hold on the way: as a Deployment's surge, a quarter, rounded up. */
export function handoverLimit({ replicas, maximum }: Pick<HandoverGoal, 'replicas' | 'maximum'>): number {
  return Math.max(maximum, replicas + surgeOf(replicas));
}

/** @returns the grants that differ from the present ones, by city */
export function handOver(shares: readonly HandoverShare[], goal: HandoverGoal): Map<string, Bounds> {
  const drafts = shares.map((share): Draft => ({ share, ...share.grant }));
  giveUp(drafts, goal);
  takeOver(drafts, goal);
  return new Map(
    drafts
      .filter(({ share: { grant }, floor, ceiling }) => floor !== grant.floor || ceiling !== grant.ceiling)
      .map(({ share, floor, ceiling }) => [share.city, { floor, ceiling }]),
  );
}

function giveUp(drafts: readonly Draft[], goal: HandoverGoal): void {
  const givers = drafts
    .filter(({ share: { change, assigned, ceiling, grant } }) => {
      return change !== 'None' && (assigned < grant.floor || ceiling < grant.ceiling);
    })
    .sort(byUrgency);
  let spare = drafts.reduce((sum, { share }) => sum + secured(share, share.grant.floor), 0) - goal.replicas;
  let spareReady =
    drafts.reduce((sum, { share }) => sum + secured(share, share.grant.ceiling), 0) - goal.replicas;
  const others = situationOf(drafts, goal);
  for (const draft of givers) {
    const { share } = draft;
    const before = secured(share, draft.floor);
    const readyBefore = secured(share, draft.ceiling);
    const lowest = lowestFloor(share, before, spare);
    const headroom = Math.max(
      lowestCeiling(share, lowest, goal, others),
      stillNeeded(share, readyBefore, spareReady),
    );
    // No autoscaler has a floor of 0: the last guaranteed replica stays as long as others run beside it.
    const least = share.leaves === 'Gently' && headroom > 1 ? 1 : 0;
    draft.floor = Math.min(draft.floor, Math.max(least, lowest));
    draft.ceiling = draft.floor === 0 ? 0 : Math.max(draft.floor, headroom);
    // Without an autoscaler what runs is what is guaranteed.
    if (!goal.isAutoscaled) draft.floor = draft.ceiling;
    spare -= before - secured(share, draft.floor);
    spareReady -= readyBefore - secured(share, draft.ceiling);
  }
}

/** Replicas that an autoscaler happens to run count as well while there are fewer than wanted. */
function stillNeeded({ leaves, most }: HandoverShare, ready: number, spareReady: number): number {
  return leaves === 'AtOnce' ? 0 : Math.min(most, ready - Math.max(0, spareReady));
}

/**
 * How it stands with the cities that stay. `None`: there are none. `Busy`: something is starting, or can. `Satisfied`:
 * they have all that they are to have. `Blocked`: they could go on if others gave up.
 */
type Others = 'None' | 'Busy' | 'Satisfied' | 'Blocked';

function situationOf(drafts: readonly Draft[], goal: HandoverGoal): Others {
  const stayers = drafts.filter(({ share }) => share.change === 'Any' && share.assigned > 0);
  if (stayers.length === 0) return 'None';
  if (stayers.some(({ share, floor }) => share.ready < Math.max(floor, share.running))) return 'Busy';
  const lackReplicas = stayers.some(({ share, floor }) => share.assigned > floor);
  // Headroom is given only beside a guaranteed replica.
  const lackHeadroom = stayers.some(({ share, floor, ceiling }) => floor > 0 && share.ceiling > ceiling);
  if (!lackReplicas && !lackHeadroom) return 'Satisfied';
  const isFree = headroom(drafts, goal) > 0;
  const canGoOn = isFree && (lackHeadroom || stillToStart(drafts, goal) > 0);
  return canGoOn ? 'Busy' : 'Blocked';
}

/** Ready replicas that the city would keep with that floor, whatever its autoscaler does. A silent city secures none. */
function secured({ change, ready }: HandoverShare, floor: number): number {
  return change === 'None' ? 0 : Math.min(ready, floor);
}

/** What is not ready is given up freely, what is ready only as far as others can spare it. */
function lowestFloor({ assigned, leaves, grant }: HandoverShare, ready: number, spare: number): number {
  if (leaves === 'AtOnce') return assigned;
  return Math.max(Math.min(assigned, grant.floor), ready - Math.max(0, spare));
}

/**
 * Headroom goes where the target says at once. Where a city is to lose replicas, what its autoscaler uses is given up a
 * few at a time, and only when the others cannot go on without it or nothing else is left to give up. With nowhere to go
 * all stays as it is.
 */
function lowestCeiling(share: HandoverShare, floor: number, goal: HandoverGoal, others: Others): number {
  const { assigned, leaves, ceiling, most, grant, running } = share;
  if (!goal.isAutoscaled) return 0;
  if (assigned >= grant.floor || leaves === 'AtOnce') return Math.min(grant.ceiling, ceiling);
  if (others === 'None') return Math.min(grant.ceiling, most);
  const isNext = others === 'Blocked' || (others === 'Satisfied' && floor <= assigned);
  const inUse = isNext && running >= grant.ceiling ? running - surgeOf(goal.replicas) : running;
  return Math.min(grant.ceiling, most, Math.max(ceiling, inUse));
}

function takeOver(drafts: readonly Draft[], goal: HandoverGoal): void {
  let mayStart = stillToStart(drafts, goal);
  for (const draft of takersOf(drafts)) {
    const { share } = draft;
    const within = Math.max(0, draft.ceiling - draft.floor) + Math.max(0, headroom(drafts, goal));
    const more = Math.min(share.assigned - draft.floor, share.fits - draft.floor, mayStart, within);
    if (more <= 0) continue;
    draft.floor += more;
    draft.ceiling = Math.max(draft.ceiling, draft.floor);
    mayStart -= more;
  }
  if (!goal.isAutoscaled) return;
  for (const draft of drafts) {
    if (draft.share.change !== 'Any' || draft.floor === 0) continue;
    const more = Math.min(draft.share.ceiling - draft.ceiling, headroom(drafts, goal));
    if (more > 0) draft.ceiling += more;
  }
}

/** Cities that are to have more, the one that lacks most first. */
function takersOf(drafts: readonly Draft[]): Draft[] {
  return drafts
    .filter(({ share, floor }) => share.change === 'Any' && share.assigned > floor)
    .sort((a, b) => lack(b) - lack(a) || (a.share.city < b.share.city ? -1 : 1));
}

function lack({ share, floor }: Draft): number {
  return share.assigned - floor;
}

/** Replicas that may start now, beside those that they replace. */
function stillToStart(drafts: readonly Draft[], { replicas, mayOverlap }: HandoverGoal): number {
  const most = replicas + (mayOverlap ? surgeOf(replicas) : 0);
  return most - drafts.reduce((sum, { floor }) => sum + floor, 0);
}

/** Replicas that may still be granted within the limit. */
function headroom(drafts: readonly Draft[], goal: HandoverGoal): number {
  const held = drafts.reduce((sum, { share, ceiling }) => sum + Math.max(share.mayHold, ceiling), 0);
  return handoverLimit(goal) - held;
}

function byUrgency(a: Draft, b: Draft): number {
  const urgency = Number(b.share.leaves === 'AtOnce') - Number(a.share.leaves === 'AtOnce');
  return urgency || lack(a) - lack(b) || (a.share.city < b.share.city ? -1 : 1);
}

function surgeOf(replicas: number): number {
  return Math.max(1, Math.ceil(replicas / 4));
}
