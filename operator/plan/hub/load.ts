/** The load of a service over all cities that are heard, from what each says of its own replicas. */
import { type LoadStatus, steady, steadyPercent } from '../load.ts';
import type { CityPart } from './parts.ts';

/** Means are weighted by the replicas, waits by the requests. Undefined where no city has told anything. */
export function regionLoad(
  parts: readonly CityPart[],
  previous: LoadStatus | undefined,
): LoadStatus | undefined {
  const telling = parts.filter(({ claim, ready }) => ready > 0 && claim?.busyPercent !== undefined);
  if (telling.length === 0) return undefined;
  const sum = (of: (part: CityPart) => number) => telling.reduce((total, part) => total + of(part), 0);
  const replicas = sum(({ ready }) => ready);
  const requests = sum(({ claim }) => claim?.requestsPerSecond ?? 0);
  const busy = sum(({ ready, claim }) => ready * (claim?.busyPercent ?? 0)) / replicas;
  const waited = sum(({ claim }) => (claim?.queueTimeMilliseconds ?? 0) * (claim?.requestsPerSecond ?? 0));
  return {
    busyPercent: steadyPercent(previous?.busyPercent, Math.round(busy)),
    queueTimeMilliseconds: Math.round(
      steady(previous?.queueTimeMilliseconds, requests === 0 ? 0 : waited / requests),
    ),
    requestsPerSecond: steady(previous?.requestsPerSecond, requests),
    reportingReplicas: replicas,
  };
}
