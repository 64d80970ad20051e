/**
 * Whole replicas from fair quotas, as near as possible to what there is now.
 *
 * From nothing this is the method of largest remainders: one replica after another goes to the slot whose quota is
 * furthest above its count, which ends with every count less than one from its quota. With counts to begin with, only
 * as many replicas come or go as the total has changed; the rest stays, until a slot is further from its quota than the
 * tolerance. Then all is made fair again, so that small drifts of the weights move nothing and large ones move once.
 */
import { type QuotaSlot, setQuotas } from './quotas.ts';

export interface Slot extends QuotaSlot {
  readonly key: string;
  readonly current: number;
  /** Of the current ones: what is not ready is taken away first. */
  readonly ready: number;
  /** Among slots of equal claim the higher one is given to first and taken from last. */
  readonly tie: number;
}

interface Portion {
  readonly slot: Slot;
  quota: number;
  count: number;
}

/** Replicas that a slot may be away from its quota before all is made fair again. */
export function defaultTolerance(total: number): number {
  return Math.max(1, total / 5);
}

/**
 * @returns a count for each slot; their sum is `total`, or what the slots can hold when that is less. The result does
 * not depend on the order of the slots.
 */
export function divide(
  total: number,
  slots: readonly Slot[],
  tolerance = defaultTolerance(total),
): Map<string, number> {
  const portions: Portion[] = slots.map((slot) => ({
    slot,
    quota: 0,
    count: Math.min(slot.most, Math.max(slot.least, slot.current)),
  }));
  setQuotas(total, portions);
  // Rounded, so that the order in which fractions were summed up cannot show in the result.
  for (const portion of portions) portion.quota = Math.round(portion.quota * QUOTA_STEPS) / QUOTA_STEPS;
  let counted = 0;
  for (const { count } of portions) counted += count;
  for (; counted < total; counted++) {
    const neediest = best(portions, canGrow, isNeedier);
    if (!neediest) break;
    neediest.count++;
  }
  for (; counted > total; counted--) {
    const fattest = best(portions, canShrink, isMoreDispensable);
    if (!fattest) break;
    fattest.count--;
  }
  if (portions.some(({ count, quota }) => Math.abs(count - quota) > tolerance + EPSILON)) makeFair(portions);
  return new Map(portions.map(({ slot, count }) => [slot.key, count]));
}

/** Moves one replica after another as long as a move brings both slots together nearer to their quotas. */
function makeFair(portions: readonly Portion[]): void {
  for (;;) {
    const from = best(portions, canShrink, isFurtherAbove);
    const to = best(portions, canGrow, isNeedier);
    if (!from || !to || from === to) return;
    if (from.count - from.quota + (to.quota - to.count) <= 1 + EPSILON) return;
    from.count--;
    to.count++;
  }
}

const QUOTA_STEPS = 1e6;
/** Less than a step of a quota. */
const EPSILON = 1e-9;

const canGrow = ({ slot, count }: Portion): boolean => count < slot.most;
const canShrink = ({ slot, count }: Portion): boolean => count > slot.least;

function isNeedier(a: Portion, b: Portion): boolean {
  const difference = a.quota - a.count - (b.quota - b.count);
  return Math.abs(difference) > EPSILON ? difference > 0 : comesFirst(a.slot, b.slot);
}

function isFurtherAbove(a: Portion, b: Portion): boolean {
  const difference = a.count - a.quota - (b.count - b.quota);
  return Math.abs(difference) > EPSILON ? difference > 0 : comesFirst(b.slot, a.slot);
}

function isMoreDispensable(a: Portion, b: Portion): boolean {
  const [aIdle, bIdle] = [a.count > a.slot.ready, b.count > b.slot.ready];
  return aIdle === bIdle ? isFurtherAbove(a, b) : aIdle;
}

/** A total order, so that no result depends on the order of the input. */
function comesFirst(a: Slot, b: Slot): boolean {
  if (a.tier !== b.tier) return a.tier < b.tier;
  if (a.current !== b.current) return a.current > b.current;
  return a.tie === b.tie ? a.key < b.key : a.tie > b.tie;
}

function best(
  portions: readonly Portion[],
  isPossible: (portion: Portion) => boolean,
  isBetter: (a: Portion, b: Portion) => boolean,
): Portion | undefined {
  let found: Portion | undefined;
  for (const portion of portions) {
    if (isPossible(portion) && (!found || isBetter(portion, found))) found = portion;
  }
  return found;
}
