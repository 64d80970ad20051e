export interface BackoffPolicy {
  readonly baseSeconds: number;
  readonly maxSeconds: number;
}

/** The longest wait after `failures` failures in a row: `min(max, base · 2^(failures − 1))`; 0 after none. */
export function backoffCeilingSeconds(failures: number, { baseSeconds, maxSeconds }: BackoffPolicy): number {
  return failures <= 0 ? 0 : Math.min(maxSeconds, baseSeconds * 2 ** (failures - 1));
}

/**
 * A wait drawn evenly from nothing to the ceiling ("full jitter"), so that clients that failed together do not
 * come back together.
 */
export function backoffSeconds(failures: number, policy: BackoffPolicy, random: () => number): number {
  return backoffCeilingSeconds(failures, policy) * random();
}
