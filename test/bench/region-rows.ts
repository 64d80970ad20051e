/** What was measured of a region, as rows in the order in which one would ask. */
import type { HubRoundOptions, HubTimes } from './hub-round.ts';
import { type Arrangement, type LossTimes, REPLICAS } from './loss-round.ts';
import { total } from './operator-round.ts';
import { percentile } from './percentile.ts';
import type { Row } from './result.ts';

const LOSSES: Readonly<Record<Arrangement, string>> = {
  spread: `city lost with one of ${REPLICAS} replicas`,
  together: `city lost with all ${REPLICAS} replicas`,
};

export function lossRows({ seconds, messagesPerMinute }: LossTimes): Row[] {
  const rows = (['spread', 'together'] as const).flatMap((arrangement) => {
    const samples = seconds[arrangement];
    const losses = `of ${samples.length} ${samples.length === 1 ? 'loss' : 'losses'}`;
    const what = `${LOSSES[arrangement]}: cut off until all are ready elsewhere, less the grace`;
    return [
      row(`${what}, median ${losses}`, 's', percentile(samples, 50)),
      row(`${what}, longest ${losses}`, 's', Math.max(...samples)),
    ];
  });
  return [...rows, row('messages of a city to its hub in a minute at rest', 'messages', messagesPerMinute)];
}

export interface LookTimes {
  readonly placeSeconds: number;
  readonly lookSeconds: number;
}

export function lookRows(
  { cities, services }: { readonly cities: number; readonly services: number },
  { placeSeconds, lookSeconds }: LookTimes,
): Row[] {
  const region = `${services} services over ${cities} cities`;
  return [
    row(`${region}, placement from nothing, in memory`, 's', placeSeconds),
    row(`${region}, a whole look from nothing, in memory`, 's', lookSeconds),
  ];
}

export function hubRows({ cities, servicesPerCity }: HubRoundOptions, times: HubTimes): Row[] {
  const services = cities * servicesPerCity;
  const region = `${cities} cities and ${services} services`;
  return [
    row(`${region}: first service applied until every replica is ready`, 's', times.placingSeconds),
    row(`${region}: processor time of that`, 'CPU s', times.placing.cpuSeconds),
    row(`${region}: requests of that, per service`, 'requests', total(times.placing.requests) / services),
    row(`${region} at rest: processor`, 'cores', times.atRest.cpuSeconds / times.restSeconds),
    row(
      `${region} at rest: messages of a city in a minute`,
      'messages',
      (times.messagesAtRest / cities / times.restSeconds) * 60,
    ),
    row(`${region} at rest: resident memory`, 'MB', times.atRest.residentBytes / 1e6),
    row(`${region}: highest resident memory`, 'MB', times.peakResidentBytes / 1e6),
    row(
      `${region}: a city lost until all its replicas are ready elsewhere, less the grace`,
      's',
      times.failoverSeconds,
    ),
  ];
}

function row(what: string, unit: string, ours: number): Row {
  return { what, unit, better: 'lower', ours: Number(ours.toPrecision(4)) };
}
