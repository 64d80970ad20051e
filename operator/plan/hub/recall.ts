/**
 * What a hub that begins knows of a service: its stored record, and its shares. The shares speak where the record is
 * lost or older, as after a restore from a backup, and where the service itself is gone: it then wants nothing, and what
 * its cities hold is withdrawn.
 */
import { ALL_FIT, NO_SHARES, newShare, type ServiceIntent, type ServiceRecord } from '../failover/records.ts';
import type { LiveShare } from './share.ts';

/** @returns the same record when the shares say nothing newer; undefined when there is nothing to remember */
export function recalled(
  key: string,
  record: ServiceRecord | undefined,
  live: readonly LiveShare[],
): ServiceRecord | undefined {
  const newer = live.filter(({ city, grant }) => {
    return grant.epoch > (record?.shares.get(city)?.grant.epoch ?? 0) && !isForgotten(record, grant.epoch);
  });
  if (newer.length === 0) return record;
  const before = record ?? {
    key,
    epoch: 0,
    shares: NO_SHARES,
    waiting: 0,
    unfit: ALL_FIT,
    isProvisional: true,
  };
  const shares = new Map(before.shares);
  for (const { city, grant } of newer) {
    const share = shares.get(city) ?? newShare(city);
    shares.set(city, {
      ...share,
      assigned: grant.floor,
      grant,
      mayHold: Math.max(share.mayHold, grant.ceiling),
    });
  }
  const epoch = Math.max(before.epoch, ...newer.map(({ grant }) => grant.epoch));
  return { ...before, epoch, shares };
}

/** A share that the record has finished with, and that was not deleted yet. */
function isForgotten(record: ServiceRecord | undefined, epoch: number): boolean {
  return record !== undefined && epoch <= record.epoch;
}

/** What is wanted of a service that is gone, or that is not placed any more. */
export function goneIntent(key: string): ServiceIntent {
  return {
    key,
    priority: 0,
    replicas: 0,
    maximum: 0,
    isAutoscaled: false,
    placement: { priority: 0, failover: { graceSeconds: 90 } },
    demand: [],
  };
}
