import { type BenchResult, type Row, ratioToLimit, readable } from './result.ts';

/** Writes a result to standard output: one JSON object, or lines for people. */
export function print(result: BenchResult, { json }: { json: boolean }): void {
  process.stdout.write(json ? `${JSON.stringify(result, undefined, 2)}\n` : lines(result));
}

function lines({ machine, rows }: BenchResult): string {
  const { processor, cores, node, loadBefore } = machine;
  const head = `${cores} cores, ${processor}, Node ${node}, load average before the run ${loadBefore}`;
  return `${head}\n\n${rows.map(line).join('\n')}\n`;
}

function line(row: Row): string {
  const { what, unit, ours, limit, peers = {} } = row;
  const ratio = ratioToLimit(row);
  const beside = [
    ...(limit === undefined ? [] : [`limit ${readable(limit)}`]),
    ...(ratio === undefined ? [] : [`${readable(ratio)} × limit`]),
    ...Object.entries(peers).map(([name, figure]) => `${name} ${readable(figure)}`),
  ];
  return `${readable(ours).padStart(9)} ${unit.padEnd(10)} ${what}${beside.length > 0 ? ` (${beside.join(', ')})` : ''}`;
}
