import { expect, test } from '@jest/globals';
import { Admission } from '../../../../model-server/serve/admission.ts';
import { errorAnswer } from '../../../../model-server/serve/answer.ts';

const admission = () => new Admission({ maxBodyBytes: 100, maxHeldBytes: 150 });
const empty = { queued: 0, capacity: 8, backlogMilliseconds: 0, maxBacklogMilliseconds: 2000 };

test.each([
  ['a small request', 0, 10, undefined, /^$/],
  ['one as large as allowed', 0, 100, undefined, /^$/],
  ['a larger one', 0, 101, 413, /101 bytes .* at most 100.*MODEL_SERVER_MAX_BODY_BYTES/],
  ['one for a full queue', 8, 1, 429, /8 requests are waiting and spec.serving.queueCapacity is 8/],
])('%s', (_what, queued, declared, status, sentence) => {
  const refusal = admission().refusal(declared, { ...empty, queued });
  expect(refusal?.status).toBe(status);
  expect(refusal?.message ?? '').toMatch(sentence);
});

test('a queue that takes too long is full, and says for how long', () => {
  const full = { ...empty, queued: 7, backlogMilliseconds: 2400 };
  const refusal = admission().refusal(1, full);
  expect(refusal?.status).toBe(429);
  expect(refusal?.message).toMatch(/2400 ms .*spec.serving.maxBacklogMilliseconds is 2000: try again later/);
  expect(errorAnswer(refusal!).headers).toEqual({ 'retry-after': '3' });
  expect(admission().refusal(1, { ...full, backlogMilliseconds: 1999 })).toBeUndefined();
});

test('bodies together hold no more than the bound, and give back what they held', () => {
  const full = admission();
  expect(full.take(90, 0)).toBeUndefined();
  expect(full.refusal(61, empty)?.status).toBe(429);
  expect(full.refusal(60, empty)).toBeUndefined();
  expect(full.take(61, 0)?.status).toBe(429);
  expect(full.heldBytes).toBe(90);
  full.release(90);
  expect(full.take(61, 0)).toBeUndefined();
});

test('a body that grows beyond what one request may have is refused where it does', () => {
  const growing = admission();
  expect(growing.take(60, 0)).toBeUndefined();
  expect(growing.take(60, 60)?.status).toBe(413);
});
