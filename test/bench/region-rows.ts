/** What was measured of a region, as rows in the order in which one would ask. */
import type { HubRoundOptions, HubTimes } from './hub-round.ts';
import type { LossTimes } from './loss-round.ts';
import { total } from './operator-round.ts';
import { percentile } from './percentile.ts';
import type { Row } from './result.ts';

export function lossRows({ seconds, messagesPerMinute }: LossTimes): Row[] {
  const losses = `of ${seconds.length} ${seconds.length === 1 ? 'loss' : 'losses'}`;
  return [
    row(
      `city cut off until all guaranteed replicas are ready elsewhere, less the grace, median ${losses}`,
      's',
      percentile(seconds, 50),
    ),
    row(`the same, longest ${losses}`, 's', Math.max(...seconds)),
    row('messages of a city to its hub in a minute at rest', 'messages', messagesPerMinute),
  ];
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
