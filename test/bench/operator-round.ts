import { BareClient } from './bare-client.ts';
import { CONNECTIONS, type RoundOptions, type RoundTimes } from './bare-round.ts';
import { apiServerSeconds } from './city.ts';
import { editReplicas } from './edits.ts';
import { modelServices } from './fleet.ts';
import { Onlooker } from './onlooker.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Usage } from './probe.ts';

/** What the operator did and used. */
export interface OperatorTimes extends RoundTimes {
  /** At work, before there was any service. */
  readonly without: Usage;
  /** From the first ModelService until every status was current. */
  readonly converging: Usage;
  /** From the first ModelService until there was nothing left to do. */
  readonly settling: Usage;
  /** While nothing happened. */
  readonly atRest: Usage;
}

const REST_SECONDS = 60;
/**
 * Nothing is asked for this long: then there is nothing left to do. Longer than it takes until the silence of a ready pod
 * is news (20 s): here no pod ever reports.
 */
const QUIET_SECONDS = 25;
/** What a leader asks when there is nothing to do. */
const HEARTBEATS = new Set(['PUT leases']);

/** Lets an operator that is at work make the same as `bareRound`. */
export async function operatorRound(
  { city, client, admin, namespace, services, edits, timeoutSeconds }: RoundOptions,
  operator: OperatorProcess,
): Promise<OperatorTimes> {
  const person = new BareClient(admin, CONNECTIONS);
  const onlooker = new Onlooker(client, namespace, services);
  try {
    const before = await operator.usage();
    const usedBefore = await apiServerSeconds(city);
    const startedAt = performance.now();
    await person.applyAll(modelServices(services, namespace));
    const seconds = async (at: Promise<number>) => ((await at) - startedAt) / 1000;
    const childrenSeconds = await seconds(onlooker.until('children', timeoutSeconds));
    const statusesSeconds = await seconds(onlooker.until('statuses', timeoutSeconds));
    const converged = await operator.usage();
    const podsSeconds = await seconds(onlooker.until('pods', timeoutSeconds));
    const used = (await apiServerSeconds(city)) - usedBefore;
    const settled = await untilQuiet(operator, timeoutSeconds);
    await sleep(REST_SECONDS);
    const rested = await operator.usage();
    const editMilliseconds = await editReplicas({ onlooker, person, namespace, services, edits });
    // Whoever comes next is not to find what the edits left to do.
    await untilQuiet(operator, timeoutSeconds);
    return {
      childrenSeconds,
      statusesSeconds,
      podsSeconds,
      apiServerSeconds: used,
      without: before,
      editMilliseconds,
      converging: between(before, converged),
      settling: between(before, settled),
      atRest: perMinute(between(settled, rested), REST_SECONDS),
    };
  } finally {
    await onlooker.stop();
    await person.close();
  }
}

/**
 * Waits until the operator asks for nothing but what it asks for at rest.
 *
 * @returns its usage when it fell silent
 */
export async function untilQuiet(operator: OperatorProcess, timeoutSeconds: number): Promise<Usage> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  let last = await operator.usage();
  let quietSince = performance.now();
  while (performance.now() < deadline) {
    await sleep(1);
    const now = await operator.usage();
    if (work(now) !== work(last)) {
      last = now;
      quietSince = performance.now();
    }
    if (performance.now() - quietSince >= QUIET_SECONDS * 1000) return last;
  }
  throw new Error(
    `the operator was not at rest within ${timeoutSeconds} s; it asked ${JSON.stringify(last.requests)}`,
  );
}

/** Requests, heartbeats and renewed watches aside. */
export function work({ requests }: Usage): number {
  return total(requests, (name) => !HEARTBEATS.has(name) && !name.startsWith('WATCH '));
}

/** Requests that write. */
export function writes({ requests }: Usage): number {
  return total(requests, (name) => !HEARTBEATS.has(name) && !/^(GET|WATCH) /.test(name));
}

export function total(requests: Usage['requests'], counts: (name: string) => boolean = () => true): number {
  return Object.entries(requests)
    .filter(([name]) => counts(name))
    .reduce((sum, [, count]) => sum + count, 0);
}

export function between(before: Usage, after: Usage): Usage {
  const requests = Object.entries(after.requests)
    .map(([name, count]) => [name, count - (before.requests[name] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return {
    ...after,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    requests: Object.fromEntries(requests),
  };
}

function perMinute(usage: Usage, seconds: number): Usage {
  const requests = Object.entries(usage.requests).map(([name, count]) => [name, (count * 60) / seconds]);
  return {
    ...usage,
    cpuSeconds: (usage.cpuSeconds * 60) / seconds,
    requests: Object.fromEntries(requests),
  };
}

function sleep(seconds: number): Promise<void> {
  return new Promise((later) => setTimeout(later, seconds * 1000));
}
