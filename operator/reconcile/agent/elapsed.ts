import type { Clock } from '../../runtime/clock.ts';

/**
 * Milliseconds since an arbitrary start, on the clock that has gone further: a machine that was suspended finds its
 * monotonic clock where it stood, and must not take its own absence for a moment. Never goes back; a wall clock that was
 * set forward costs a new session and nothing else.
 */
export function elapsedMs(clock: Clock): () => number {
  let total = 0;
  let monotonic = clock.monotonicSeconds() * 1000;
  let wall = clock.now().getTime();
  return () => {
    const nextMonotonic = clock.monotonicSeconds() * 1000;
    const nextWall = clock.now().getTime();
    total += Math.max(nextMonotonic - monotonic, nextWall - wall, 0);
    monotonic = nextMonotonic;
    wall = nextWall;
    return total;
  };
}
