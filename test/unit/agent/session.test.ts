import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { beginSession, type SessionInput, stepSession } from '../../../operator/plan/agent/session.ts';

const rhythm = { sessionMs: 72_000 };
const step = (session: ReturnType<typeof beginSession>, input: SessionInput) =>
  stepSession(session, input, rhythm, () => 'next');

describe('a session', () => {
  const begun = beginSession('first', 1000);

  test.each<[string, SessionInput, string]>([
    ['lasts to the end of its time', { type: 'Look', nowMs: 73_000 }, 'first'],
    ['is over when nothing was answered for longer', { type: 'Look', nowMs: 73_001 }, 'next'],
    ['is kept by an answer', { type: 'Answered', sentMs: 50_000 }, 'first'],
    ['ends when what was known is lost', { type: 'Restart', nowMs: 2000 }, 'next'],
  ])('%s', (_what, input, id) => {
    expect(step(begun, input).id).toBe(id);
  });

  test('is kept from when the city spoke, not from when it was answered', () => {
    const answered = step(begun, { type: 'Answered', sentMs: 50_000 });
    expect(step(answered, { type: 'Look', nowMs: 122_000 }).id).toBe('first');
    expect(step(answered, { type: 'Look', nowMs: 122_001 }).id).toBe('next');
  });

  test('is not kept by an answer to what was said before a later answer', () => {
    const answered = step(begun, { type: 'Answered', sentMs: 50_000 });
    expect(step(answered, { type: 'Answered', sentMs: 40_000 })).toBe(answered);
  });

  test('while it is kept it is the same object', () => {
    expect(step(begun, { type: 'Look', nowMs: 5000 })).toBe(begun);
  });

  test('never outlives its time without an answer, and no name comes twice', () => {
    const inputs = fc.array(
      fc.record({ waitMs: fc.integer({ min: 0, max: 50_000 }), isAnswered: fc.boolean() }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(inputs, (waits) => {
        let serial = 0;
        let nowMs = 0;
        let session = beginSession('0', nowMs);
        const names = new Set([session.id]);
        for (const { waitMs, isAnswered } of waits) {
          nowMs += waitMs;
          const before = session;
          session = stepSession(session, { type: 'Look', nowMs }, rhythm, () => `${++serial}`);
          expect(nowMs - session.answeredMs).toBeLessThanOrEqual(rhythm.sessionMs);
          if (session !== before) expect(names.has(session.id)).toBe(false);
          names.add(session.id);
          if (isAnswered) session = step(session, { type: 'Answered', sentMs: nowMs });
        }
      }),
    );
  });
});
