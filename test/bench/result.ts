/** What a benchmark has measured: one object, the same for every benchmark, that people and programs read. */
import * as z from 'zod';

/** A figure of ours beside what could be had at best, and beside others who do the same. */
export const Row = z.strictObject({
  /** What was measured, precise enough to be measured again. */
  what: z.string().min(1),
  unit: z.string().min(1),
  better: z.enum(['higher', 'lower']),
  ours: z.number(),
  /** The same work with nothing of ours in the way. */
  limit: z.number().optional(),
  peers: z.record(z.string(), z.number()).optional(),
});
export type Row = z.infer<typeof Row>;

export const Machine = z.strictObject({
  processor: z.string(),
  cores: z.int(),
  memoryGibibytes: z.number(),
  system: z.string(),
  node: z.string(),
  /** When the run began, as `YYYY-MM-DD`. */
  date: z.iso.date(),
  /** Mean number of threads that wanted a core in the minute before the run: more than 0 means that others work here. */
  loadBefore: z.number(),
});
export type Machine = z.infer<typeof Machine>;

export const BenchResult = z.strictObject({ machine: Machine, rows: z.array(Row) });
export type BenchResult = z.infer<typeof BenchResult>;

/** How many times the limit ours is; undefined where there is no limit to compare with. */
export function ratioToLimit({ ours, limit }: Pick<Row, 'ours' | 'limit'>): number | undefined {
  return limit === undefined || limit === 0 ? undefined : ours / limit;
}

/** A figure as people read it: three significant digits, thousands grouped. */
export function readable(figure: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(figure) || 1)));
  return figure.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 6) });
}
