/**
 * What becomes of a server, and of those who use it, when something goes wrong: it is asked wrongly, asked more than it can
 * do, and ended. One server after another, so that none suffers from what was done to the one before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { say, step } from '../region/progress.ts';
import { callerTo, type Outcome } from './caller.ts';
import type { ClientRequest, Contender, Contestant } from './contender.ts';
import type { BenchModel } from './models.ts';
import { percentile } from './percentile.ts';
import { areSame, scoresOf } from './scores.ts';
import { startContender } from './start-contender.ts';

/** What padding and pooling would hide, and an image without its rank. */
export const WRONG_SHAPES: readonly (readonly number[])[] = [[31, 32, 3], [32, 31, 3], [3072]];
export const LATER_REQUESTS = 20;
export const MIXED_CLIENTS = 16;
export const OVERLOAD_CLIENTS = 512;
export const OVERLOAD_ROWS = 8;
const LATER_PAUSE_MILLISECONDS = 250;
const MIXED_SECONDS = 3;
const OVERLOAD_SECONDS = 5;
/** As a polite client waits that was told to come back later. */
const AFTER_REFUSAL_MILLISECONDS = 1_000;
const PATIENCE_SECONDS = 20;
const ENDING_SECONDS = 12;

export interface Failures {
  /** Requests of `WRONG_SHAPES` that were answered 200. */
  readonly wrongShapesScored: number;
  /** Of `LATER_REQUESTS` good requests after those. */
  readonly answeredLater: number;
  /** Percent of the good requests that others made beside wrong ones, and that were not answered with the right scores. */
  readonly goodLostPercent: number;
  readonly overload: Overload;
  /** Of `MIXED_CLIENTS` requests in flight at SIGTERM. */
  readonly lostAtEnd: number;
  /** Processes that still run `ENDING_SECONDS` after SIGTERM. */
  readonly leftBehind: number;
}

export interface Overload {
  readonly answeredPerSecond: number;
  /** Seconds until an answer with scores; undefined when there was none. */
  readonly p99Seconds: number | undefined;
  /** Percent of the requests: 429 and 503. */
  readonly refusedPercent: number;
  /** Percent of the requests: no answer in time, or another one. */
  readonly failedPercent: number;
}

/** Undefined, and a word, for a server that does not start. */
export async function failuresOf(
  contender: Contender,
  model: BenchModel,
  place: string,
): Promise<Failures | undefined> {
  try {
    return await step(`what goes wrong in ${contender.name}`, async () => {
      const underLoad = await withStarted(contender, model, place, async (one) => ({
        goodLostPercent: await goodLost(one),
        overload: await overload(one),
        ...(await endUnderLoad(one)),
      }));
      return { ...underLoad, ...(await withStarted(contender, model, place, wrongShapes)) };
    });
  } catch (error) {
    say(`${contender.name} has no figures of what goes wrong: ${(error as Error).message}`);
    return undefined;
  }
}

async function withStarted<T>(
  contender: Contender,
  model: BenchModel,
  place: string,
  work: (contestant: Contestant) => Promise<T>,
): Promise<T> {
  const { contestant } = await startContender(contender, model, place);
  try {
    return await work(contestant);
  } finally {
    await contestant.stop();
  }
}

async function wrongShapes(contestant: Contestant) {
  let wrongShapesScored = 0;
  for (const shape of WRONG_SHAPES) {
    const { status } = await askOnce(jsonRequest(contestant, 1, shape));
    if (status === 200) wrongShapesScored++;
  }
  let answeredLater = 0;
  for (let count = 0; count < LATER_REQUESTS; count++) {
    await sleep(LATER_PAUSE_MILLISECONDS);
    if ((await askOnce(jsonRequest(contestant, 1))).status === 200) answeredLater++;
  }
  return { wrongShapesScored, answeredLater };
}

/** Every fourth client sends images that lack a line. */
async function goodLost(contestant: Contestant): Promise<number> {
  const good = jsonRequest(contestant, 1);
  const wrong = jsonRequest(contestant, 1, [31, 32, 3]);
  const right = scoresOf(await askOnce(good));
  const isRight = (outcome: Outcome) => outcome.status === 200 && areSame(right, scoresOf(outcome));
  const endsAt = performance.now() + MIXED_SECONDS * 1000;
  let [asked, lost] = [0, 0];
  await Promise.all(
    Array.from({ length: MIXED_CLIENTS }, async (_, index) => {
      const isGood = index % 4 !== 0;
      await askAgain(
        isGood ? good : wrong,
        () => performance.now() < endsAt,
        (outcome) => {
          if (!isGood) return;
          asked++;
          if (!isRight(outcome)) lost++;
        },
      );
    }),
  );
  return (100 * lost) / asked;
}

async function overload(contestant: Contestant): Promise<Overload> {
  const request = jsonRequest(contestant, OVERLOAD_ROWS);
  const startedAt = performance.now();
  const endsAt = startedAt + OVERLOAD_SECONDS * 1000;
  const outcomes: Outcome[] = [];
  await Promise.all(
    Array.from({ length: OVERLOAD_CLIENTS }, () =>
      askAgain(
        request,
        () => performance.now() < endsAt,
        (outcome) => outcomes.push(outcome),
      ),
    ),
  );
  // Whoever is still answered after the end was asked before it.
  const seconds = (performance.now() - startedAt) / 1000;
  const answered = outcomes.filter(({ status }) => status === 200).map(({ milliseconds }) => milliseconds);
  const refused = outcomes.filter(({ status }) => isRefusal(status)).length;
  const percentOf = (count: number) => (100 * count) / outcomes.length;
  return {
    answeredPerSecond: answered.length / seconds,
    p99Seconds: answered.length > 0 ? percentile(answered, 99) / 1000 : undefined,
    refusedPercent: percentOf(refused),
    failedPercent: percentOf(outcomes.length - answered.length - refused),
  };
}

async function endUnderLoad(contestant: Contestant) {
  let isRunning = true;
  let lostAtEnd = 0;
  const clients = Array.from({ length: MIXED_CLIENTS }, () =>
    askAgain(
      jsonRequest(contestant, 1),
      () => isRunning,
      ({ status }) => {
        if (!isRunning && status !== 200) lostAtEnd++;
      },
    ),
  );
  await sleep(1_000);
  // From here on every client only waits for the answer to what it has sent.
  isRunning = false;
  process.kill(contestant.pid, 'SIGTERM');
  await Promise.all(clients);
  const deadline = performance.now() + ENDING_SECONDS * 1000;
  while (contestant.processes().length > 0 && performance.now() < deadline) await sleep(100);
  return { lostAtEnd, leftBehind: contestant.processes().length };
}

/** One client that asks, as long as `goesOn` says so, when its last request has its outcome. */
async function askAgain(
  request: ClientRequest,
  goesOn: () => boolean,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  const caller = callerTo(request.url);
  while (goesOn()) {
    const outcome = await caller.ask(request, PATIENCE_SECONDS);
    tell(outcome);
    if (isRefusal(outcome.status) || outcome.status === undefined) await sleep(AFTER_REFUSAL_MILLISECONDS);
  }
  caller.close();
}

async function askOnce(request: ClientRequest): Promise<Outcome> {
  const caller = callerTo(request.url);
  const outcome = await caller.ask(request, PATIENCE_SECONDS);
  caller.close();
  return outcome;
}

function isRefusal(status: number | undefined): boolean {
  return status === 429 || status === 503;
}

function jsonRequest(contestant: Contestant, rows: number, shape?: readonly number[]): ClientRequest {
  const request = contestant.request('JSON', rows, shape);
  if (!request) throw new Error('it takes no JSON');
  return request;
}
