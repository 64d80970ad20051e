/** Whether two servers compute the same: a figure of one that does something else says nothing. */
import { type Caller, callerTo } from './caller.ts';
import type { Contestant, Protocol } from './contender.ts';
import type { BenchModel } from './models.ts';
import { areSame, scoresOf } from './scores.ts';

const PATIENCE_SECONDS = 60;

/** What is different, in each protocol that both speak and with each number of rows; undefined when nothing is. */
export async function differenceBetween(
  ours: Contestant,
  theirs: Contestant,
  model: BenchModel,
): Promise<string | undefined> {
  for (const rows of model.rowsPerRequest) {
    for (const protocol of ['JSON', 'raw tensor'] as const) {
      const [expected, found] = [await scores(ours, protocol, rows), await scores(theirs, protocol, rows)];
      if (expected && found && !areSame(expected, found)) {
        return `${rows} rows as ${protocol} are scored ${found.slice(0, 10)}; expected ${expected.slice(0, 10)}`;
      }
    }
  }
  return undefined;
}

/** @throws Error when the answer is no success */
async function scores(one: Contestant, protocol: Protocol, rows: number): Promise<number[] | undefined> {
  const request = one.request(protocol, rows);
  if (!request) return undefined;
  const caller: Caller = callerTo(request.url);
  const answer = await caller.ask(request, PATIENCE_SECONDS);
  caller.close();
  if (answer.status !== 200)
    throw new Error(
      `${rows} rows as ${protocol} were answered ${answer.status}: ${answer.body.toString().slice(0, 300)}`,
    );
  return scoresOf(answer);
}
