import { beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { REPORT_AUDIENCE } from '../../../crds/pod-contract.ts';
import type { RawRequest } from '../../../operator/kube/client.ts';
import { errorFromStatus } from '../../../operator/kube/errors.ts';
import { SenderCheck, senderIn } from '../../../operator/reports/sender.ts';
import { bearerToken, unprovenClaims } from '../../../operator/reports/token.ts';
import { FakeClock } from '../runtime/fake-clock.ts';

type Review = Parameters<typeof senderIn>[0];

/** A token as the API server signs them, except for the signature. */
function token(changes: Record<string, unknown> = {}, signature = 'c2ln'): string {
  const claims = {
    aud: [REPORT_AUDIENCE],
    exp: Date.parse('2026-01-01T01:00:00Z') / 1000,
    'kubernetes.io': {
      namespace: 'city',
      pod: { name: 'traffic-1', uid: 'uid-1' },
      serviceaccount: { name: 'm' },
    },
    ...changes,
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.${signature}`;
}

const genuine: Review = {
  status: {
    authenticated: true,
    audiences: [REPORT_AUDIENCE],
    user: {
      username: 'system:serviceaccount:city:traffic-model',
      extra: {
        'authentication.kubernetes.io/pod-name': ['traffic-1'],
        'authentication.kubernetes.io/pod-uid': ['uid-1'],
      },
    },
  },
};
const sender = { namespace: 'city', podName: 'traffic-1', podUid: 'uid-1' };

describe('bearerToken', () => {
  test.each<[string | undefined, string | undefined]>([
    ['Bearer abc.def.ghi', 'abc.def.ghi'],
    ['bearer  abc', 'abc'],
    ['Basic abc', undefined],
    ['Bearer', undefined],
    ['Bearer ', undefined],
    ['Bearer a b', undefined],
    ['Bearer a\u0000', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%p', (header, expected) => expect(bearerToken(header)).toBe(expected));
});

describe('unprovenClaims', () => {
  test.each([
    '',
    'a',
    'a.b',
    'a.b.c',
    '..',
    'a.bnVsbA.c',
    'a.W10.c',
    `${token()}.more`,
    token({}, ''),
    `a.${'A'.repeat(9000)}.c`,
  ])('nothing in %p', (text) => expect(unprovenClaims(text)).toBeUndefined());

  test('reads audiences, expiry and pod', () => {
    expect(unprovenClaims(token({ aud: 'one', exp: 7 }))).toEqual({
      audiences: ['one'],
      expiresAtSeconds: 7,
      isPodBound: true,
    });
    expect(
      unprovenClaims(token({ aud: [1, 'a'], exp: 'x', 'kubernetes.io': { namespace: 'city' } })),
    ).toEqual({
      audiences: ['a'],
      expiresAtSeconds: Infinity,
      isPodBound: false,
    });
  });
});

describe('senderIn', () => {
  const without = (changes: NonNullable<Review['status']>): Review => ({
    status: { ...genuine.status, ...changes },
  });
  test('takes the pod from the answer', () => expect(senderIn(genuine)).toEqual(sender));
  test.each<[string, Review]>([
    ['no status', {}],
    ['not authenticated', without({ authenticated: false })],
    ['no audience', without({ audiences: [] })],
    ['another audience', without({ audiences: ['https://kubernetes.default.svc'] })],
    ['a person', without({ user: { ...genuine.status!.user!, username: 'admin' } })],
    ['a node', without({ user: { ...genuine.status!.user!, username: 'system:node:lisbon' } })],
    ['no pod', without({ user: { username: 'system:serviceaccount:city:traffic-model' } })],
  ])('%s: nobody', (_, review) => expect(senderIn(review)).toBeUndefined());
});

describe('SenderCheck', () => {
  let clock: FakeClock;
  let calls: RawRequest[];
  let answer: () => Promise<Review>;
  let check: SenderCheck;
  beforeEach(() => {
    clock = new FakeClock('2026-01-01T00:00:00Z');
    calls = [];
    answer = async () => genuine;
    const client = {
      request: async <T>(request: RawRequest): Promise<T> => {
        calls.push(request);
        return (await answer()) as T;
      },
    };
    check = new SenderCheck({ client, clock, log: pino({ level: 'silent' }), maxReviews: 2 });
  });

  test('asks the API server for the audience of reports', async () => {
    await expect(check.senderOf(token(), 'a')).resolves.toEqual(sender);
    expect(calls[0]).toMatchObject({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      body: { spec: { token: token(), audiences: [REPORT_AUDIENCE] } },
    });
  });

  test.each([
    ['TokenMalformed', 'garbage'],
    ['TokenAudience', token({ aud: ['https://kubernetes.default.svc'] })],
    ['TokenNotPodBound', token({ 'kubernetes.io': { namespace: 'city' } })],
  ])('%s is refused without asking', async (refusal, text) => {
    await expect(check.senderOf(text, 'a')).resolves.toMatchObject({ refusal });
    expect(calls).toEqual([]);
  });

  test('an answer is kept for a minute', async () => {
    await check.senderOf(token(), 'a');
    clock.freeze(59);
    await check.senderOf(token(), 'a');
    expect(calls).toHaveLength(1);
    clock.freeze(1);
    await check.senderOf(token(), 'a');
    expect(calls).toHaveLength(2);
  });

  test('but never past the end of the token', async () => {
    const soon = token({ exp: clock.now().getTime() / 1000 + 10 });
    await check.senderOf(soon, 'a');
    clock.freeze(10);
    answer = async () => ({ status: { authenticated: false } });
    await expect(check.senderOf(soon, 'a')).resolves.toMatchObject({ refusal: 'TokenExpired' });
  });

  test('nor past it when the wall clock jumps', async () => {
    await check.senderOf(token(), 'a');
    clock.jumpWall(3601);
    answer = async () => ({ status: { authenticated: false } });
    await expect(check.senderOf(token(), 'a')).resolves.toMatchObject({ refusal: 'TokenExpired' });
  });

  test('the API server decides about time: a fast clock of ours refuses nobody', async () => {
    clock.jumpWall(7200);
    await expect(check.senderOf(token(), 'a')).resolves.toEqual(sender);
  });

  test('a refusal is kept for some seconds only', async () => {
    answer = async () => ({ status: { authenticated: false } });
    await expect(check.senderOf(token(), 'a')).resolves.toMatchObject({ refusal: 'TokenRejected' });
    await check.senderOf(token(), 'a');
    expect(calls).toHaveLength(1);
    clock.freeze(5);
    answer = async () => genuine;
    await expect(check.senderOf(token(), 'a')).resolves.toEqual(sender);
  });

  test('a token that differs only in its signature is another token', async () => {
    await check.senderOf(token(), 'a');
    answer = async () => ({ status: { authenticated: false } });
    await expect(check.senderOf(token({}, 'Zm9yZ2Vk'), 'a')).resolves.toMatchObject({
      refusal: 'TokenRejected',
    });
  });

  test('many reports at once with one token are one question', async () => {
    let release: () => void = () => {};
    answer = () =>
      new Promise((resolve) => {
        release = () => resolve(genuine);
      });
    const asked = [1, 2, 3].map(() => check.senderOf(token(), 'a'));
    await clock.advance(0);
    release();
    await expect(Promise.all(asked)).resolves.toEqual([sender, sender, sender]);
    expect(calls).toHaveLength(1);
  });

  test('an API server in trouble refuses nobody for good', async () => {
    answer = async () => {
      throw errorFromStatus(500, { message: 'etcd' }, 'POST');
    };
    await expect(check.senderOf(token(), 'a')).resolves.toEqual({
      refusal: 'Unavailable',
      retryAfterSeconds: 2,
    });
    answer = async () => genuine;
    await expect(check.senderOf(token(), 'a')).resolves.toEqual(sender);
  });

  test('a slow API server is asked so many questions at once and no more', async () => {
    answer = () => new Promise(() => {});
    const texts = [1, 2, 3].map((n) => token({ n }));
    void check.senderOf(texts[0]!, 'a');
    void check.senderOf(texts[1]!, 'b');
    await expect(check.senderOf(texts[2]!, 'c')).resolves.toMatchObject({ refusal: 'Unavailable' });
    expect(calls).toHaveLength(2);
  });

  test('one address cannot make us ask without end', async () => {
    answer = async () => ({ status: { authenticated: false } });
    for (let n = 0; n < 300; n += 1) await check.senderOf(token({ n }), 'flood');
    expect(calls).toHaveLength(200);
    await expect(check.senderOf(token(), 'other')).resolves.toMatchObject({ refusal: 'TokenRejected' });
  });
});
