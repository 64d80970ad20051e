import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CityReportBody } from '../../../crds/city-report.ts';
import { changeOf, type ReportContent, type Urgency } from '../../../operator/plan/agent/report.ts';

const claim = { epoch: 4, floor: 2, ceiling: 3, running: 2, ready: 2, needed: 1, busyPercent: 20 };
const gpus = { resource: 'nvidia.com/gpu', total: 8, forShares: 6, used: 4 };
const content: ReportContent = {
  kubernetesVersion: 'v1.34.1',
  address: 'https://porto.example',
  capacity: [gpus],
  claims: { 'city/traffic': claim, 'city/air': { ...claim, epoch: 9 } },
};
const withClaim = (more: object): ReportContent => ({
  ...content,
  claims: { ...content.claims, 'city/traffic': { ...claim, ...more } },
});

describe('what travels', () => {
  test('is nothing when nothing has changed', () => {
    expect(changeOf(content, structuredClone(content))).toEqual({ urgency: 'None', patch: {} });
  });

  test('is everything when the hub has nothing', () => {
    expect(changeOf(undefined, content)).toEqual({ urgency: 'Urgent', patch: content });
  });

  test.each<[string, ReportContent, object]>([
    ['a field of a claim', withClaim({ ready: 1 }), { claims: { 'city/traffic': { ready: 1 } } }],
    [
      'a field that is gone',
      withClaim({ busyPercent: undefined }),
      { claims: { 'city/traffic': { busyPercent: null } } },
    ],
    [
      'a claim that is gone',
      { ...content, claims: { 'city/air': content.claims!['city/air']! } },
      { claims: { 'city/traffic': null } },
    ],
    [
      'an address that is gone',
      { ...content, address: undefined } as unknown as ReportContent,
      { address: null },
    ],
    [
      'the capacity as a whole',
      { ...content, capacity: [{ ...gpus, used: 5 }] },
      { capacity: [{ ...gpus, used: 5 }] },
    ],
  ])('is %s', (_what, after, patch) => {
    expect(changeOf(content, after).patch).toEqual(patch);
  });
});

describe('how urgent it is', () => {
  test.each<[string, ReportContent, Urgency]>([
    ['a replica became ready', withClaim({ ready: 1 }), 'Urgent'],
    ['a grant is obeyed', withClaim({ epoch: 5 }), 'Urgent'],
    ['the reason has changed', withClaim({ reason: 'ModelLoading' }), 'Urgent'],
    ['clients reach it elsewhere', withClaim({ url: 'http://10.0.0.1' }), 'Urgent'],
    ['a service came', { ...content, claims: { ...content.claims, 'city/new': claim } }, 'Urgent'],
    ['a service went', { ...content, claims: {} }, 'Urgent'],
    ['a node came', { ...content, capacity: [{ ...gpus, total: 16 }] }, 'Urgent'],
    ['others use less', { ...content, capacity: [{ ...gpus, forShares: 7 }] }, 'Load'],
    ['the load has moved', withClaim({ busyPercent: 40, needed: 2, requestsPerSecond: 3 }), 'Load'],
    ['a sentence counts on', withClaim({ message: 'for 21 s' }), 'Load'],
  ])('%s: %s', (_what, after, urgency) => {
    expect(changeOf(content, after).urgency).toBe(urgency);
  });
});

test('what the hub merges is always what the city has to say, and the hub takes it', () => {
  const number = fc.integer({ min: 0, max: 9 });
  const anyClaim = fc.record(
    {
      epoch: number,
      floor: number,
      ceiling: number,
      running: number,
      ready: number,
      needed: number,
      reason: fc.constantFrom('Serving', 'CrashLoop'),
      busyPercent: number,
    },
    { requiredKeys: ['epoch', 'floor', 'ceiling', 'running', 'ready', 'needed'] },
  );
  const anyContent = fc.record(
    {
      address: fc.constantFrom('https://a', 'https://b'),
      capacity: fc.array(fc.constant(gpus), { maxLength: 1 }),
      claims: fc.dictionary(fc.constantFrom('a/b', 'a/c', 'd/e'), anyClaim),
    },
    { requiredKeys: ['claims'] },
  );
  fc.assert(
    fc.property(anyContent, anyContent, (before, after) => {
      const { patch } = changeOf(before as ReportContent, after as ReportContent);
      const merged = merge(before, patch) as object;
      expect(merged).toEqual(after);
      CityReportBody.parse({ ...merged, session: 's', sequence: 1 });
    }),
  );
});

/** RFC 7386, section 2. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = {
    ...(typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}),
  } as Record<string, unknown>;
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}
