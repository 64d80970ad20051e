/** What goes wrong, as rows of a result: failure × server. Pure. */
import {
  type Failures,
  LATER_REQUESTS,
  MIXED_CLIENTS,
  OVERLOAD_CLIENTS,
  OVERLOAD_ROWS,
  WRONG_SHAPES,
} from './failures.ts';
import type { Row } from './result.ts';

/** Of all their rows, and of no others. */
export const FAILURE = 'failure: ';

/** @param found by server, ours among them. */
export function failureRows(found: ReadonlyMap<string, Failures>): Row[] {
  const overload = `${OVERLOAD_CLIENTS} clients with ${OVERLOAD_ROWS} images each`;
  const beside = `${MIXED_CLIENTS} clients, every fourth of which sends wrong shapes`;
  return [
    row(
      found,
      `good requests answered of ${LATER_REQUESTS} after wrong shapes and ranks`,
      'requests',
      'higher',
      (f) => f.answeredLater,
    ),
    row(
      found,
      `wrong shapes of ${WRONG_SHAPES.length} that were given scores`,
      'requests',
      'lower',
      (f) => f.wrongShapesScored,
    ),
    row(found, `good requests that failed, ${beside}`, '%', 'lower', (f) => f.goodLostPercent),
    row(found, `${overload}: answered with scores`, 'req/s', 'higher', (f) => f.overload.answeredPerSecond),
    row(found, `${overload}: p99 of those`, 's', 'lower', (f) => f.overload.p99Seconds),
    row(
      found,
      `${overload}: told to come back later (429, 503)`,
      '%',
      'higher',
      (f) => f.overload.refusedPercent,
    ),
    row(found, `${overload}: failed otherwise`, '%', 'lower', (f) => f.overload.failedPercent),
    row(
      found,
      `requests in flight at SIGTERM that were lost, of ${MIXED_CLIENTS}`,
      'requests',
      'lower',
      (f) => f.lostAtEnd,
    ),
    row(found, 'processes left running after SIGTERM', 'processes', 'lower', (f) => f.leftBehind),
  ].flat();
}

/** Nothing where ours has no figure. */
function row(
  found: ReadonlyMap<string, Failures>,
  what: string,
  unit: string,
  better: Row['better'],
  read: (failures: Failures) => number | undefined,
): Row[] {
  const figures = [...found].flatMap(([name, failures]) => {
    const figure = read(failures);
    return figure === undefined ? [] : [[name, figure] as const];
  });
  const { ours, ...peers } = Object.fromEntries(figures);
  return ours === undefined ? [] : [{ what: `${FAILURE}${what}`, unit, better, ours, peers }];
}

/** A client that is alone gains nothing from waiting for others: the same figure, among what goes wrong. */
export function loneClientRow(rows: readonly Row[]): Row[] {
  const lone = rows.find(({ what }) => what === 'one row of 24 numbers, JSON, 1 client, median time');
  return lone ? [{ ...lone, what: `${FAILURE}a lone client waits for company: ${lone.what}` }] : [];
}
