import { describe, expect, test } from '@jest/globals';
import { readinessAnswer } from '../../../../model-server/serve/readiness.ts';
import { settled, TestClock } from '../clock.ts';

const clock = new TestClock();

/** A server whose model is being loaded, and one who asks it. */
function asked(query: string) {
  const start = new AbortController();
  const models = { isReady: false, started: start.signal, whyNotReady: () => 'it is being loaded' };
  const heard: unknown[] = [];
  const hear = async () => {
    const { status, body } = await readinessAnswer(models, `/v2/health/ready${query}`, clock);
    heard.push(status, JSON.parse(String(body)));
  };
  void hear();
  return { models, heard, end: () => start.abort() };
}

const NOT_READY = [503, { ready: false, error: 'it is being loaded' }];

test.each(['', '?waitSeconds=0', '?other=1', '?'])('"%s" is answered at once', async (query) => {
  const { heard } = asked(query);
  await settled();
  expect(heard).toEqual(NOT_READY);
});

describe('an answer that is held', () => {
  test('comes when the server is ready', async () => {
    const { heard, models, end } = asked('?waitSeconds=2');
    await clock.advance(1.5);
    expect(heard).toEqual([]);
    models.isReady = true;
    end();
    await settled();
    expect(heard).toEqual([200, { ready: true }]);
    expect(clock.timers).toBe(0);
  });

  test('comes when it is known that it cannot be', async () => {
    const { heard, end } = asked('?waitSeconds=2');
    end();
    await settled();
    expect(heard).toEqual(NOT_READY);
  });

  test('comes when the time is up', async () => {
    const { heard } = asked('?waitSeconds=0.5');
    await clock.advance(0.4);
    expect(heard).toEqual([]);
    await clock.advance(0.1);
    expect(heard).toEqual(NOT_READY);
  });
});

test.each(['-1', '11', 'soon', '', '1e1', '99999999999'])('waitSeconds=%s is refused', (text) => {
  const models = { isReady: true, started: AbortSignal.abort(), whyNotReady: () => '' };
  expect(() => readinessAnswer(models, `/v2/health/ready?waitSeconds=${text}`, clock)).toThrow(
    `waitSeconds: "${text}" found, seconds from 0 to 10 expected`,
  );
});
