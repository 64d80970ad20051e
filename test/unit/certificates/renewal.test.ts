import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  AUTHORITY_LIFE_DAYS,
  DISTRIBUTION_DAYS,
  renewalDecision,
  SERVING_LIFE_DAYS,
  type TlsFacts,
} from '../../../operator/certificates/renewal.ts';

const NAMES = ['aicity-operator.aicity.svc'];
const day = (days: number) => new Date(Date.UTC(2026, 0, 1) + days * 86_400_000);
const life = (from: number, days: number) => ({ notBefore: day(from), notAfter: day(from + days) });

/** Everything made on day 0. */
const fresh: TlsFacts = {
  authority: life(0, 900),
  trustsFormer: false,
  serving: { ...life(0, 90), signedByAuthority: true, names: NAMES },
};
/** The authority was rolled on day 600; the serving certificate is still the old one's, from day 595. */
const rolled: TlsFacts = {
  authority: life(600, 900),
  trustsFormer: true,
  serving: { ...life(595, 90), signedByAuthority: false, names: NAMES },
};
const withServing = (facts: TlsFacts, serving: Partial<TlsFacts['serving']>): TlsFacts => ({
  ...facts,
  serving: { ...facts.serving, ...serving },
});

describe('renewalDecision', () => {
  test.each<[string, number, TlsFacts, string]>([
    ['all is new', 0, fresh, 'keep'],
    ['just before two thirds of the serving life', 59.9, fresh, 'keep'],
    ['two thirds of the serving life', 60, fresh, 'renewServing'],
    ['the serving certificate has expired', 91, fresh, 'renewServing'],
    ['everything has expired', 901, fresh, 'remakeAll'],
    [
      'two thirds of the authority life, serving certificate young',
      600,
      withServing(fresh, life(595, 90)),
      'rollAuthority',
    ],
    [
      'two thirds of both: the serving certificate goes first',
      600,
      withServing(fresh, life(540, 90)),
      'renewServing',
    ],
    ['the new authority is not known everywhere yet', 600.5, rolled, 'keep'],
    ['the new authority is known everywhere', 601, rolled, 'renewServing'],
    [
      'old serving certificate due, new authority too young',
      600.5,
      withServing(rolled, life(539.9, 90)),
      'keep',
    ],
    [
      'old serving certificate expired, new authority too young',
      600.5,
      withServing(rolled, life(500, 90)),
      'renewServing',
    ],
    [
      'the former authority may still be needed',
      650,
      withServing(rolled, { ...life(640, 90), signedByAuthority: true }),
      'keep',
    ],
    [
      'nothing of the former authority is valid',
      690,
      withServing(rolled, { ...life(640, 90), signedByAuthority: true }),
      'dropFormer',
    ],
    ['the Service was renamed', 1, withServing(fresh, { names: ['old.aicity.svc'] }), 'renewServing'],
    ['the clock went back', -10, fresh, 'keep'],
  ])('%s', (_, at, facts, expected) => {
    expect(renewalDecision(day(at), facts, NAMES).do).toBe(expected);
  });

  test('says why', () => {
    const renamed = withServing(fresh, { names: [] });
    expect(renewalDecision(day(1), renamed, NAMES)).toEqual({
      do: 'renewServing',
      reason: 'the serving certificate lacks the name aicity-operator.aicity.svc',
    });
  });

  test('over ten years of looks at any interval, every client with a day-old bundle can connect', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 20, noNaN: true }), { minLength: 400, maxLength: 400 }),
        (steps) => {
          let now = 0;
          let nextId = 1;
          let authority = { id: 0, from: 0 };
          let former: { id: number; from: number }[] = [];
          let serving = { signer: 0, from: 0, days: SERVING_LIFE_DAYS };
          const bundles: { at: number; ids: number[] }[] = [{ at: 0, ids: [0] }];
          for (const step of steps) {
            now += step;
            // A client's bundle is at most DISTRIBUTION_DAYS old; all bundles since then must work.
            for (let looks = 0; looks < 10; looks += 1) {
              const decision = renewalDecision(
                day(now),
                {
                  authority: life(authority.from, AUTHORITY_LIFE_DAYS),
                  trustsFormer: former.length > 0,
                  serving: {
                    ...life(serving.from, serving.days),
                    signedByAuthority: serving.signer === authority.id,
                    names: NAMES,
                  },
                },
                NAMES,
              );
              if (decision.do === 'keep') break;
              if (decision.do === 'remakeAll')
                throw new Error('an operator that is never away must not start over');
              if (decision.do === 'rollAuthority') {
                former = [authority, ...former];
                authority = { id: nextId++, from: now };
              }
              if (decision.do === 'renewServing') {
                const days = Math.min(SERVING_LIFE_DAYS, authority.from + AUTHORITY_LIFE_DAYS - now);
                serving = { signer: authority.id, from: now, days };
              }
              if (decision.do === 'dropFormer') former = [];
              bundles.push({ at: now, ids: [authority.id, ...former.map(({ id }) => id)] });
            }
            expect(now).toBeLessThan(serving.from + serving.days);
            const inUse = bundles.filter(
              ({ at }, i) => (bundles[i + 1]?.at ?? Infinity) > now - DISTRIBUTION_DAYS && at <= now,
            );
            for (const { ids } of inUse) expect(ids).toContain(serving.signer);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
