/** A server that is busy with large requests: whether small ones have to wait for them. */
import { type LoadResult, measureLoad } from './load.ts';
import type { BenchModel } from './models.ts';
import type { Row } from './result.ts';
import { measureEach, rowOf, type Settings, type Started } from './side-by-side.ts';

const SMALL_CLIENTS = 2;

/** How small requests fare where somebody sends large ones. */
export async function measureBesideLarge(
  model: BenchModel,
  largeRows: number,
  started: readonly Started[],
  { seconds, rounds }: Settings,
): Promise<Row[]> {
  const figures = new Map<string, { small: LoadResult; large: LoadResult }[]>();
  const small = `${model.requests(1)}, JSON, ${SMALL_CLIENTS} clients beside one with ${model.requests(largeRows)}`;
  const large = `${model.requests(largeRows)}, JSON, 1 client beside ${SMALL_CLIENTS} with ${model.requests(1)}`;
  for (let round = 0; round < rounds; round++) {
    await measureEach(started, figures, small, async (contestant) => {
      const [one, many] = [contestant.request('JSON', 1), contestant.request('JSON', largeRows)];
      if (!one || !many) return undefined;
      const loads = [
        measureLoad({ ...many, clients: 1, seconds }),
        measureLoad({ ...one, clients: SMALL_CLIENTS, seconds }),
      ] as const;
      // If one fails, the other is not to go on beside the next contestant.
      await Promise.allSettled(loads);
      const [large, small] = await Promise.all(loads);
      return { small, large };
    });
  }
  return [
    rowOf(started, figures, small, 'req/s', 'higher', (one) => one.small.requestsPerSecond),
    rowOf(started, figures, `${small}, median time`, 'ms', 'lower', (one) => one.small.p50),
    rowOf(started, figures, `${small}, p99`, 'ms', 'lower', (one) => one.small.p99),
    rowOf(started, figures, large, 'req/s', 'higher', (one) => one.large.requestsPerSecond),
  ];
}
