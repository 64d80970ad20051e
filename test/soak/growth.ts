/** Whether memory stays flat: what it was early, once the first versions have come and gone, against what it is late. */

export interface Growth {
  earlyBytes: number;
  lateBytes: number;
  isFlat: boolean;
}

export const MOST_GROWTH_SHARE = 0.1;
export const MOST_GROWTH_BYTES = 32 * 2 ** 20;

/**
 * Medians of the second and of the last quarter of the samples: the first quarter is the start, and single samples have
 * two versions in memory.
 */
export function growthOf(samples: readonly number[]): Growth {
  const quarter = (from: number) =>
    samples.slice(Math.floor((samples.length * from) / 4), Math.ceil((samples.length * (from + 1)) / 4));
  const [earlyBytes, lateBytes] = [median(quarter(1)), median(quarter(3))];
  return {
    earlyBytes,
    lateBytes,
    isFlat: lateBytes <= earlyBytes * (1 + MOST_GROWTH_SHARE) + MOST_GROWTH_BYTES,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
