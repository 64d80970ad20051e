/** Plays schedules in a thread of its own: seeds come in, results go out. */
import { parentPort } from 'node:worker_threads';
import type { FaultClass } from './faults.ts';
import { type SimulationResult, simulate } from './simulation.ts';

export interface Batch {
  readonly first: number;
  readonly count: number;
  readonly of: FaultClass;
}

parentPort?.on('message', ({ first, count, of }: Batch) => {
  const results: SimulationResult[] = [];
  for (let seed = first; seed < first + count; seed++) results.push(simulate({ seed, of }));
  parentPort?.postMessage(results);
});
