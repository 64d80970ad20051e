/** Contenders that are measured by turns, and the medians of what came of it. */
import { say } from '../region/progress.ts';
import type { Contender, Contestant } from './contender.ts';
import { percentile } from './percentile.ts';
import type { Row } from './result.ts';

export interface Settings {
  /** Of one measurement. */
  readonly seconds: number;
  readonly rounds: number;
}

export interface Started {
  readonly contender: Contender;
  readonly contestant: Contestant;
  readonly firstAnswerSeconds: number;
  readonly residentBytes: number;
}

/** Once through all that are there. Another server may fail, which is told; ours may not. */
export async function measureEach<F>(
  started: readonly Started[],
  figures: Map<string, F[]>,
  what: string,
  measure: (contestant: Contestant) => Promise<F | undefined>,
): Promise<void> {
  for (const { contender, contestant } of started) {
    const found = await measure(contestant).catch((error: Error) => {
      if (contender === started[0]?.contender) throw error;
      say(`${contender.name}, ${what}: ${error.message}`);
      return undefined;
    });
    if (found !== undefined) figures.set(contender.name, [...(figures.get(contender.name) ?? []), found]);
  }
}

/** The medians of the rounds, ours and those of the others that have any. */
export function rowOf<F>(
  started: readonly Started[],
  figures: ReadonlyMap<string, readonly F[]>,
  what: string,
  unit: string,
  better: Row['better'],
  read: (one: F) => number,
): Row {
  const [ours, ...peers] = started.map(({ contender: { name } }) => {
    const list = figures.get(name);
    return [name, list && median(list.map(read))] as const;
  });
  const known = peers.flatMap(([name, figure]) => (figure === undefined ? [] : [[name, figure]]));
  return {
    ...{ what, unit, better, ours: ours?.[1] as number },
    ...(known.length > 0 ? { peers: Object.fromEntries(known) as Record<string, number> } : {}),
  };
}

export const median = (figures: readonly number[]) => percentile(figures, 50);
