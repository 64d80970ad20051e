/**
 * How many replicas would be fair in each slot, as fractions: in proportion to the weights, between least and most of
 * each slot, tier by tier. Within a tier the fair amount of a slot is clamp(λ × weight, least, most) with the one λ that
 * makes the sum right ("water filling").
 */

export interface QuotaSlot {
  /** Slots of a higher tier get only what those of lower tiers cannot hold. */
  readonly tier: number;
  /** Slots without weight get only what the others of their tier cannot hold; they share it equally. */
  readonly weight: number;
  readonly least: number;
  readonly most: number;
}

interface Share {
  readonly slot: QuotaSlot;
  quota: number;
}

/** Sets `quota` of every share; the quotas sum up to `total`, or as near to it as the bounds of the slots allow. */
export function setQuotas(total: number, shares: readonly Share[]): void {
  let rest = total;
  let leastOfLater = sum(shares, ({ slot }) => slot.least);
  for (const members of inOrder(shares)) {
    leastOfLater -= sum(members, ({ slot }) => slot.least);
    fill(Math.max(0, rest - leastOfLater), members);
    rest -= sum(members, ({ quota }) => quota);
  }
}

/** Tier by tier, and in each those with weight before those without. */
function inOrder(shares: readonly Share[]): Share[][] {
  const ranks = new Map<number, Share[]>();
  for (const share of shares) {
    const rank = share.slot.tier * 2 + (share.slot.weight > 0 ? 0 : 1);
    const members = ranks.get(rank);
    if (members) members.push(share);
    else ranks.set(rank, [share]);
  }
  return [...ranks].sort(([a], [b]) => a - b).map(([, members]) => members);
}

/** Enough for doubles: each halving gives one more binary digit. */
const HALVINGS = 60;

function fill(total: number, shares: readonly Share[]): void {
  const weights = sum(shares, ({ slot }) => slot.weight);
  const weightOf = (slot: QuotaSlot): number => (weights > 0 ? slot.weight : 1);
  const at = (lambda: number): number => {
    let filled = 0;
    for (const share of shares) {
      const { slot } = share;
      share.quota = Math.min(slot.most, Math.max(slot.least, lambda * weightOf(slot)));
      filled += share.quota;
    }
    return filled;
  };
  // Mostly nothing is clamped and the plain proportion is right at once.
  let lambda = total / (weights > 0 ? weights : shares.length);
  if (Math.abs(at(lambda) - total) < 1e-9) return;
  let low = 0;
  let high = shares.reduce((most, { slot }) => Math.max(most, slot.most / weightOf(slot)), 0);
  for (let i = 0; i < HALVINGS; i++) {
    lambda = (low + high) / 2;
    if (at(lambda) < total) low = lambda;
    else high = lambda;
  }
  at(high);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let result = 0;
  for (const item of items) result += of(item);
  return result;
}
