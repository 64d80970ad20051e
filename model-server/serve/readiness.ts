/** Whether the server is ready, now or as soon as it has started. */
import { type Clock, sleep } from '../clock.ts';
import { invalid, quoted } from '../protocol/errors.ts';
import { type Answer, jsonAnswer } from './answer.ts';
import type { ModelCatalog } from './model-catalog.ts';

/** The query parameter with which a probe may be held: one that asks in turns learns of a start a turn late. */
export const WAIT_PARAMETER = 'waitSeconds';
export const MOST_WAIT_SECONDS = 10;

/**
 * Answers at once, or holds the answer for as long as the query of `target` says while the server is starting.
 * @throws ProtocolError InvalidArgument for a time that is none.
 */
export function readinessAnswer(
  models: Pick<ModelCatalog, 'isReady' | 'started' | 'whyNotReady'>,
  target: string,
  clock: Pick<Clock, 'after'>,
): Answer | Promise<Answer> {
  const seconds = waitSeconds(target);
  const answer = () =>
    models.isReady
      ? jsonAnswer(200, { ready: true })
      : jsonAnswer(503, { ready: false, error: models.whyNotReady() });
  return seconds > 0 ? sleep(clock, seconds, models.started).then(answer) : answer();
}

function waitSeconds(target: string): number {
  const query = target.indexOf('?');
  const text = query < 0 ? null : new URLSearchParams(target.slice(query)).get(WAIT_PARAMETER);
  if (text === null) return 0;
  const seconds = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= MOST_WAIT_SECONDS) return seconds;
  throw invalid(WAIT_PARAMETER, `${quoted(text)} found, seconds from 0 to ${MOST_WAIT_SECONDS} expected`);
}
