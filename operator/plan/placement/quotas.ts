/**
 * How many replicas would be fair in each slot, as fractions: in proportion to the weights, between least and most of
 * each slot, tier by tier. Within a tier the fair amount of a slot is clamp(λ × weight, least, most) with the one λ that
 * makes the sum right ("water filling").
 */

export interface QuotaSlot {
  /** Slots of a higher tier get only what those of lower tiers cannot hold. */
  readonly tier: number;
  readonly weight: number;
  readonly least: number;
  readonly most: number;
}

/**
 * Sets `quota` of every share; the quotas sum up to `total`, or to the sum of `least` or `most` when that is nearer.
 * Weights that are all zero within a tier count as equal.
 */
export function setQuotas(
  total: number,
  shares: readonly { readonly slot: QuotaSlot; quota: number }[],
): void {
  const tiers = new Map<number, { readonly slot: QuotaSlot; quota: number }[]>();
  for (const share of shares) {
    const members = tiers.get(share.slot.tier);
    if (members) members.push(share);
    else tiers.set(share.slot.tier, [share]);
  }
  let rest = total;
  let leastOfHigher = sum(shares, ({ slot }) => slot.least);
  for (const tier of [...tiers.keys()].sort((a, b) => a - b)) {
    const members = tiers.get(tier)!;
    leastOfHigher -= sum(members, ({ slot }) => slot.least);
    fill(Math.max(0, rest - leastOfHigher), members);
    rest -= sum(members, ({ quota }) => quota);
  }
}

/** Enough for doubles: each halving gives one more binary digit. */
const HALVINGS = 60;

function fill(total: number, shares: readonly { readonly slot: QuotaSlot; quota: number }[]): void {
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
  let high = shares.reduce(
    (most, { slot }) => (weightOf(slot) > 0 ? Math.max(most, slot.most / weightOf(slot)) : most),
    0,
  );
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
