import type { RoundTimes } from './bare-round.ts';
import { FLEET_KINDS } from './fleet.ts';
import { type OperatorTimes, total, writes } from './operator-round.ts';
import { percentile } from './percentile.ts';
import type { Usage } from './probe.ts';
import type { Row } from './result.ts';

/** All that one run of the benchmark has seen. */
export interface Measured {
  readonly bare: readonly RoundTimes[];
  readonly round: OperatorTimes;
  readonly peakResidentBytes: number;
  /** A second operator that finds all services as they should be. */
  readonly restart: { readonly seconds: number; readonly usage: Usage; readonly afterwards: Usage };
}

/** As rows, in the order in which one would ask. The limit is the best that any bare round had. */
export function operatorRows(
  { bare, round, peakResidentBytes, restart }: Measured,
  { services, edits }: { readonly services: number; readonly edits: number },
): Row[] {
  const best = (pick: (times: RoundTimes) => number) => Math.min(...bare.map(pick));
  const edit = (percent: number) => (times: RoundTimes) => percentile(times.editMilliseconds, percent);
  const row = (what: string, unit: string, ours: number, limit?: number): Row => ({
    what,
    unit,
    better: 'lower',
    ours: rounded(ours),
    ...(limit === undefined ? {} : { limit: rounded(limit) }),
  });
  const fleet = `${services} ModelServices`;
  const writesPerService = FLEET_KINDS.length + 1;
  return [
    row(
      `${fleet} applied until all ${services * FLEET_KINDS.length} child objects exist`,
      's',
      round.childrenSeconds,
      best((times) => times.childrenSeconds),
    ),
    row(
      `${fleet} applied until every status is current`,
      's',
      round.statusesSeconds,
      best((times) => times.statusesSeconds),
    ),
    row(
      `${fleet} applied until all ${services * 2} pods run (played by kwok)`,
      's',
      round.podsSeconds,
      best((times) => times.podsSeconds),
    ),
    row(
      `edit of replicas until the Deployment has it, median of ${edits}, among ${services} services`,
      'ms',
      edit(50)(round),
      best(edit(50)),
    ),
    row(
      `edit of replicas until the Deployment has it, 99th percentile of ${edits}`,
      'ms',
      edit(99)(round),
      best(edit(99)),
    ),
    row(
      'writes per service until it is at rest, statuses of starting pods included',
      'requests',
      writes(round.settling) / services,
      writesPerService,
    ),
    row(
      'requests per service until it is at rest, reads included',
      'requests',
      total(round.settling.requests) / services,
      writesPerService,
    ),
    row(
      'processor time of the API server until objects, statuses and pods are all there',
      'CPU s',
      round.apiServerSeconds,
      best((times) => times.apiServerSeconds),
    ),
    row(`processor time for ${fleet} until every status is current`, 'CPU s', round.converging.cpuSeconds),
    row(`processor time for ${fleet} until all is at rest`, 'CPU s', round.settling.cpuSeconds),
    row(`processor time per minute at rest with ${fleet}`, 'CPU s', round.atRest.cpuSeconds),
    row(`requests per minute at rest with ${fleet}`, 'requests', total(round.atRest.requests)),
    row('resident memory without services', 'MiB', round.without.residentBytes / 2 ** 20),
    row(`resident memory at rest with ${fleet}`, 'MiB', round.atRest.residentBytes / 2 ** 20),
    row('highest resident memory of the whole run', 'MiB', peakResidentBytes / 2 ** 20),
    row(`process start until all ${services} services were looked at again`, 's', restart.seconds),
    row('processor time of that start', 'CPU s', restart.usage.cpuSeconds),
    row('ModelService objects and statuses written because of that start', 'requests', rewrites(restart)),
  ];
}

/** A start writes its lease, its certificates and its place in the API; services that are well it leaves alone. */
function rewrites({ usage, afterwards }: Measured['restart']): number {
  const isOfServices = (name: string) => OF_SERVICES.test(name);
  return total(usage.requests, isOfServices) + total(afterwards.requests, isOfServices);
}

const OF_SERVICES =
  /^PATCH (modelservices|configmaps|serviceaccounts|networkpolicies|services|deployments|poddisruptionbudgets)/;

/** Four significant digits: more would be noise. */
function rounded(figure: number): number {
  return Number(figure.toPrecision(4));
}
