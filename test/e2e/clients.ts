/** Clients of a served model that ask without a break and keep count of every answer. */
import { Agent, request } from 'undici';
import { readObservations } from '../../examples/traffic/dataset.ts';
import { type Case, casesOf, heldOut } from '../../examples/traffic/releases.ts';
import type { ServedModel } from './served-model.ts';

/** Hours of the held-out month, the first of them first. */
export function hours(count: number): Case[] {
  return heldOut(casesOf(readObservations())).slice(0, count);
}

export interface LoadPlan {
  readonly clients?: number;
  /** Pause of each client between two requests. */
  readonly pauseMilliseconds?: number;
  /** Hours that every request asks for. */
  readonly rows?: number;
}

export interface Count {
  readonly answered: number;
  /** What the requests that were not answered with forecasts said. */
  readonly failures: readonly string[];
  /** How often each forecast was given for the first hour, in users rounded to a hundredth. */
  readonly answers: ReadonlyMap<number, number>;
  readonly requestsPerSecond: number;
}

/** Clients that are asking. `count()` tells what came of it so far. */
export interface Clients {
  count(): Count;
  /** Waits until this many more requests are answered. */
  untilAnswered(more: number, timeoutSeconds?: number): Promise<void>;
}

/**
 * Lets clients ask while `work` goes on, and returns what came of their requests. Half of the clients keep their
 * connections, as libraries do; half open one per request, as short-lived programs do.
 */
export async function trafficWhile(
  model: Pick<ServedModel, 'url' | 'name'>,
  work: (clients: Clients) => Promise<unknown>,
  { clients = 4, pauseMilliseconds = 10, rows = 24 }: LoadPlan = {},
): Promise<Count> {
  const body = JSON.stringify({ instances: hours(rows).map(({ features }) => features) });
  const startedAt = performance.now();
  const answers = new Map<number, number>();
  const failures: string[] = [];
  let isOver = false;
  const count = (): Count => {
    const answered = [...answers.values()].reduce((sum, times) => sum + times, 0);
    const seconds = (performance.now() - startedAt) / 1000;
    return { answered, failures, answers, requestsPerSecond: answered / seconds };
  };
  const ask = async (index: number) => {
    const dispatcher = new Agent({ pipelining: index % 2 === 0 ? 1 : 0 });
    while (!isOver) {
      try {
        const first = await firstForecast(`${model.url}/v1/models/${model.name}:predict`, body, dispatcher);
        answers.set(first, (answers.get(first) ?? 0) + 1);
      } catch (error) {
        const { message, code } = error as NodeJS.ErrnoException;
        const kind = index % 2 === 0 ? 'kept connection' : 'new connection';
        failures.push(
          `${kind}, after ${Math.round(performance.now() - startedAt)} ms: ${code ?? ''} ${message}`,
        );
      }
      await new Promise((later) => setTimeout(later, pauseMilliseconds));
    }
    await dispatcher.close();
  };
  const untilAnswered = async (more: number, timeoutSeconds = 60) => {
    const wanted = count().answered + more;
    const deadline = performance.now() + timeoutSeconds * 1000;
    while (count().answered < wanted) {
      if (performance.now() > deadline) {
        const { answered } = count();
        throw new Error(
          `${answered} requests answered, ${wanted} wanted; failures: ${failures.slice(-3).join('; ')}`,
        );
      }
      await new Promise((later) => setTimeout(later, 50));
    }
  };
  const asking = Array.from({ length: clients }, (_, index) => ask(index));
  try {
    await work({ count, untilAnswered });
  } finally {
    isOver = true;
    await Promise.all(asking);
  }
  return count();
}

async function firstForecast(url: string, body: string, dispatcher: Agent): Promise<number> {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    dispatcher,
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${text.slice(0, 300)}`);
  const first = (JSON.parse(text) as { predictions?: number[][] }).predictions?.[0]?.[0];
  if (typeof first !== 'number') throw new Error(`no forecast: ${text.slice(0, 300)}`);
  return rounded(first);
}

/** Batches of different sizes differ in the last bits of a float. */
function rounded(users: number): number {
  return Math.round(users * 100) / 100;
}
