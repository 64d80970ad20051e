import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  acknowledged,
  type Claim,
  type ClaimReport,
  type Grant,
  granted,
  isObeyed,
  judgeGrant,
  NO_CLAIM,
} from '../../../operator/plan/failover/claim.ts';

const grant = (epoch: number, ceiling: number, session = 's1'): Grant => ({
  epoch,
  session,
  floor: ceiling,
  ceiling,
});
const report = (epoch: number, ceiling: number): ClaimReport => ({
  epoch,
  floor: ceiling,
  ceiling,
  running: ceiling,
  ready: ceiling,
  needed: 0,
});

describe('the city', () => {
  test.each<[string, number, Grant, string, string]>([
    ['obeys what is newer', 3, grant(4, 1), 's1', 'Obey'],
    ['has obeyed it already', 4, grant(4, 1), 's1', 'AlreadyObeyed'],
    ['does not go back', 5, grant(4, 1), 's1', 'AlreadyObeyed'],
    ['does not obey what was decided before it was out of touch', 3, grant(4, 1), 's2', 'OtherSession'],
  ])('%s', (_what, obeyed, offered, session, judgement) => {
    expect(judgeGrant(obeyed, offered, session)).toBe(judgement);
  });
});

describe('the hub', () => {
  const held: Claim = { grant: grant(4, 5), mayHold: 5 };

  test('counts the old and the new until it knows which is obeyed', () => {
    const less = granted(held, grant(5, 2));
    expect(less).toEqual({ grant: grant(5, 2), mayHold: 5 });
    expect(acknowledged(less, report(4, 5), 's1')).toBe(less);
    expect(acknowledged(less, report(5, 2), 's1')).toEqual({ grant: grant(5, 2), mayHold: 2 });
  });

  test('counts the most of all that is under way', () => {
    const most = granted(granted(held, grant(5, 9)), grant(6, 1));
    expect(most.mayHold).toBe(9);
    expect(acknowledged(most, report(5, 9), 's1').mayHold).toBe(9);
  });

  test('gives up on a grant that the city can no longer obey, and takes what it has for granted', () => {
    const dead = granted(held, grant(5, 9));
    expect(acknowledged(dead, report(4, 5), 's2')).toEqual({ grant: grant(4, 5, 's2'), mayHold: 5 });
    expect(acknowledged(dead, undefined, 's2')).toEqual({
      grant: { epoch: 0, session: 's2', floor: 0, ceiling: 0 },
      mayHold: 0,
    });
  });

  test('learns from a city that knows more than it does itself', () => {
    expect(acknowledged(held, report(7, 3), 's2')).toEqual({ grant: grant(7, 3, 's2'), mayHold: 3 });
  });

  test('waits while a first grant is under way', () => {
    const first = granted(NO_CLAIM, grant(1, 2));
    expect(acknowledged(first, undefined, 's1')).toBe(first);
    expect(isObeyed(first, undefined)).toBe(false);
    expect(isObeyed(NO_CLAIM, undefined)).toBe(true);
  });
});

/** One hub and one city that speak over a link which delays, repeats and drops, while sessions come and go. */
const anyStep = fc.oneof(
  fc.record({ what: fc.constant('grant' as const), ceiling: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ what: fc.constant('deliver' as const), which: fc.nat(20) }),
  fc.record({ what: fc.constant('report' as const) }),
  fc.record({ what: fc.constant('new session' as const) }),
);

test('whatever arrives when, the city never holds more than the hub reckons with', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      let claim: Claim = NO_CLAIM;
      let epoch = 0;
      let session = 1;
      let known = 's1';
      let obeyed: Grant = NO_CLAIM.grant;
      const sent: Grant[] = [];
      for (const one of steps) {
        switch (one.what) {
          case 'grant':
            claim = granted(claim, grant(++epoch, one.ceiling, known));
            sent.push(claim.grant);
            break;
          case 'deliver': {
            const arrives = sent[one.which % Math.max(1, sent.length)];
            if (arrives && judgeGrant(obeyed.epoch, arrives, `s${session}`) === 'Obey') obeyed = arrives;
            break;
          }
          case 'report':
            known = `s${session}`;
            claim = acknowledged(
              claim,
              obeyed.epoch === 0 ? undefined : report(obeyed.epoch, obeyed.ceiling),
              known,
            );
            break;
          case 'new session':
            session++;
            break;
        }
        expect(obeyed.ceiling).toBeLessThanOrEqual(claim.mayHold);
      }
    }),
    { numRuns: 1000 },
  );
});
