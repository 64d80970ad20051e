/**
 * Measures contenders and the bare engine side by side: each round goes once through all of them before the next round
 * begins, so that whatever else the machine does is shared fairly, and the median of the rounds counts.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../model-server/engine/engine.ts';
import { startEngine } from '../../model-server/engine/host.ts';
import { FULL_BATCHES_BEHIND } from '../../model-server/serve/batcher.ts';
import { say } from '../region/progress.ts';
import { differenceBetween } from './agreement.ts';
import { measureBesideLarge } from './beside-large.ts';
import type { Contender, Protocol } from './contender.ts';
import { loopEngine } from './engine-loop.ts';
import { measureLoad } from './load.ts';
import type { BenchModel } from './models.ts';
import { costsOf } from './process-costs.ts';
import type { Row } from './result.ts';
import { measureEach, median, rowOf, type Settings, type Started } from './side-by-side.ts';
import { startContender } from './start-contender.ts';

const CLIENTS = [1, 16, 64];
/** As many rows as the server joins by default. */
const MAX_BATCH_SIZE = 32;
const WARM_UP_SECONDS = 1.5;
const PROTOCOLS: readonly Protocol[] = ['JSON', 'raw tensor'];
const MEBIBYTE = 2 ** 20;

/** What is measured of each, and of the bare engine. */
interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuPerThousand: number;
}
export async function measureModel(
  model: BenchModel,
  place: string,
  contenders: readonly Contender[],
  settings: Settings,
): Promise<Row[]> {
  const engine = startEngine();
  await engine.load(model.name, join(place, '1'));
  const started: Started[] = [];
  try {
    for (const contender of contenders)
      started.push(...(await startAgreeing(contender, started[0], model, place)));
    const rows: Row[] = [];
    for (const rowsPerRequest of model.rowsPerRequest) {
      for (const protocol of PROTOCOLS) {
        await warmUp(started, protocol, rowsPerRequest);
        for (const clients of CLIENTS) {
          rows.push(
            ...(await measureRow(engine, model, started, { protocol, rowsPerRequest, clients }, settings)),
          );
        }
      }
    }
    if (model.largeRows !== undefined)
      rows.push(...(await measureBesideLarge(model, model.largeRows, started, settings)));
    return [...rows, ...standingCosts(model, started)];
  } finally {
    for (const { contestant } of started) await contestant.stop();
    await engine.close();
  }
}

/** Nothing, and a word, for another server that does not start here or computes something else than ours, the first. */
async function startAgreeing(
  contender: Contender,
  ours: Started | undefined,
  model: BenchModel,
  place: string,
): Promise<Started[]> {
  try {
    const { contestant, firstAnswerSeconds } = await startContender(contender, model, place);
    const started = { contender, contestant, firstAnswerSeconds, ...costsOf(contestant.pid) };
    if (!ours) return [started];
    const difference = await differenceBetween(ours.contestant, contestant, model);
    if (!difference) return [started];
    await contestant.stop();
    throw new Error(difference);
  } catch (error) {
    if (!ours) throw error;
    say(`${contender.name} is left out for ${model.name}: ${(error as Error).message}`);
    return [];
  }
}

async function warmUp(started: readonly Started[], protocol: Protocol, rows: number): Promise<void> {
  for (const { contestant } of started) {
    const request = contestant.request(protocol, rows);
    // What goes wrong here goes wrong again where it is measured, and is told there.
    if (request)
      await measureLoad({ ...request, clients: 16, seconds: WARM_UP_SECONDS }).catch(() => undefined);
  }
}

interface Case {
  readonly protocol: Protocol;
  readonly rowsPerRequest: number;
  readonly clients: number;
}

async function measureRow(
  engine: Engine,
  model: BenchModel,
  started: readonly Started[],
  { protocol, rowsPerRequest, clients }: Case,
  { seconds, rounds }: Settings,
): Promise<Row[]> {
  const limits: Figures[] = [];
  const figures = new Map<string, Figures[]>();
  const what = `${model.requests(rowsPerRequest)}, ${protocol}, ${clients} client${clients > 1 ? 's' : ''}`;
  for (let round = 0; round < rounds; round++) {
    limits.push(await limit(engine, model, rowsPerRequest, clients, seconds));
    await measureEach(started, figures, what, async (contestant) => {
      const request = contestant.request(protocol, rowsPerRequest);
      if (!request) return undefined;
      const before = costsOf(contestant.pid).cpuSeconds;
      const result = await measureLoad({ ...request, clients, seconds });
      const cpuSeconds = costsOf(contestant.pid).cpuSeconds - before;
      return {
        ...result,
        perSecond: result.requestsPerSecond,
        cpuPerThousand: (cpuSeconds / result.requests) * 1000,
      };
    });
  }
  const row = (kind: string, unit: string, better: Row['better'], read: (one: Figures) => number): Row => ({
    ...rowOf(started, figures, `${what}${kind}`, unit, better, read),
    limit: median(limits.map(read)),
  });
  return [
    row('', 'req/s', 'higher', ({ perSecond }) => perSecond),
    row(', median time', 'ms', 'lower', ({ p50 }) => p50),
    row(', p99', 'ms', 'lower', ({ p99 }) => p99),
    row(', processor time of 1,000 requests', 'CPU s', 'lower', ({ cpuPerThousand }) => cpuPerThousand),
  ];
}

/** The engine's own pace with as many rows as could at best be in one run, and as many runs as the cores have use for. */
async function limit(
  engine: Engine,
  model: BenchModel,
  rowsPerRequest: number,
  clients: number,
  seconds: number,
): Promise<Figures> {
  const requests = Math.min(clients, Math.max(1, Math.floor(MAX_BATCH_SIZE / rowsPerRequest)));
  const batches = Math.floor(clients / requests);
  const { rowsPerSecond, p50, p99, cpuSecondsPerRow } = await loopEngine(engine, model, {
    rows: rowsPerRequest * requests,
    abreast: batches > FULL_BATCHES_BEHIND ? Math.min(batches, availableParallelism() + 1) : 1,
    seconds: seconds / 2,
  });
  return {
    perSecond: rowsPerSecond / rowsPerRequest,
    ...{ p50, p99 },
    cpuPerThousand: cpuSecondsPerRow * rowsPerRequest * 1000,
  };
}

function standingCosts(model: BenchModel, started: readonly Started[]): Row[] {
  const row = (what: string, unit: string, read: (each: Started) => number): Row => {
    const [ours, ...peers] = started.map((each) => [each.contender.name, read(each)] as const);
    return {
      ...{ what: `${model.name}: ${what}`, unit, better: 'lower', ours: ours?.[1] as number },
      ...(peers.length > 0 ? { peers: Object.fromEntries(peers) } : {}),
    };
  };
  return [
    row('process start until the first answer', 's', ({ firstAnswerSeconds }) => firstAnswerSeconds),
    row('resident memory after the first answer', 'MiB', ({ residentBytes }) => residentBytes / MEBIBYTE),
    row(
      'resident memory after the load',
      'MiB',
      ({ contestant }) => costsOf(contestant.pid).residentBytes / MEBIBYTE,
    ),
  ];
}
