/** Token buckets by name (https://en.wikipedia.org/wiki/Token_bucket), bounded in number. */
import type { Clock } from '../runtime/clock.ts';
import { ExpiringMap } from './expiring-map.ts';

interface Bucket {
  tokens: number;
  atSeconds: number;
}

export interface RateLimitOptions {
  readonly clock: Pick<Clock, 'monotonicSeconds'>;
  readonly perSecond: number;
  readonly burst: number;
  /** Names remembered at once; a forgotten name starts with a full bucket. */
  readonly capacity?: number;
}

export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #buckets: ExpiringMap<Bucket>;

  constructor(options: RateLimitOptions) {
    this.#options = options;
    this.#buckets = new ExpiringMap(options.clock, options.capacity ?? 20_000);
  }

  /** Takes one token of `name`'s bucket; returns 0, or the seconds until there is one. */
  take(name: string): number {
    const { clock, perSecond, burst } = this.#options;
    const now = clock.monotonicSeconds();
    const bucket = this.#buckets.get(name) ?? { tokens: burst, atSeconds: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.atSeconds) * perSecond);
    bucket.atSeconds = now;
    const waitSeconds = bucket.tokens >= 1 ? 0 : (1 - bucket.tokens) / perSecond;
    if (waitSeconds === 0) bucket.tokens -= 1;
    // Once it is full again, a bucket is as good as forgotten.
    this.#buckets.set(name, bucket, burst / perSecond);
    return waitSeconds;
  }
}
