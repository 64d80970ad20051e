/**
 * A percentile by nearest rank: the smallest sample that at least `percent` of all samples do not exceed.
 *
 * @throws RangeError without samples
 */
export function percentile(samples: readonly number[], percent: number): number {
  if (samples.length === 0) throw new RangeError('a percentile of no samples was asked for');
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[Math.min(rank, sorted.length) - 1]!;
}
