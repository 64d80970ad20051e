/** How busy JavaScript's own thread is: a core that it wants is not there for runs. */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** Long enough to be no matter of chance, short enough to follow the load; and asking is not free. */
const SAMPLE_MILLISECONDS = 50;

let since: EventLoopUtilization | undefined;
let sampledAt = Number.NEGATIVE_INFINITY;
let share = 0;

/** Of the last moments, from 0, idle, to 1. */
export function busyShareOfThread(): number {
  const now = performance.now();
  if (now - sampledAt >= SAMPLE_MILLISECONDS) {
    const until = performance.eventLoopUtilization();
    if (since) share = performance.eventLoopUtilization(until, since).utilization;
    since = until;
    sampledAt = now;
  }
  return share;
}
