import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KubeError } from '../../../operator/kube/errors.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import {
  initialState,
  type ReflectorInput,
  type ReflectorState,
  type ReflectorStep,
} from '../../../operator/runtime/reflector-state.ts';
import { step } from '../../../operator/runtime/reflector-step.ts';
import { badResponse, type SuccessEvent, silentError } from '../../../operator/runtime/watch-events.ts';

const object = (name: string, resourceVersion: string): KubeObject => ({
  metadata: { name, resourceVersion },
});
const event = (type: SuccessEvent['type'], name: string, version: string): ReflectorInput => ({
  type: 'event',
  event: { type, object: object(name, version) },
});
const listEnd = (resourceVersion: string): ReflectorInput => ({
  type: 'event',
  event: {
    type: 'BOOKMARK',
    object: { metadata: { name: '', resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } } },
  },
});
const failure = (status: number, reason = '', retryAfterSeconds?: number): KubeError =>
  new KubeError({
    kind: [400, 422].includes(status) ? 'terminal' : 'retry',
    status,
    reason,
    message: reason,
    retryAfterSeconds,
  });
const failed = (error: KubeError, openSeconds = 0): ReflectorInput => ({
  type: 'failed',
  error,
  openSeconds,
});
const network = failure(0, 'Network');

/** Runs inputs from a state; the last step counts. */
function run(state: ReflectorState, ...inputs: ReflectorInput[]): ReflectorStep {
  let last: ReflectorStep = { state, store: [] };
  for (const input of inputs) last = step(last.state, input);
  return last;
}
const streaming = run(initialState, { type: 'start' }).state;
const watching = run(streaming, listEnd('7')).state;

describe('listing', () => {
  test('starts as a stream at the newest state', () => {
    const { store, next } = run(initialState, { type: 'start' });
    expect(store).toEqual([{ do: 'begin' }]);
    expect(next).toEqual({ do: 'watch', sendInitialEvents: true });
  });

  test('stages what comes and commits at the closing bookmark; the same connection then watches on', () => {
    expect(run(streaming, event('ADDED', 'a', '3')).store).toEqual([
      { do: 'stage', objects: [object('a', '3')] },
    ]);
    expect(run(streaming, event('DELETED', 'a', '4')).store).toEqual([
      { do: 'unstage', object: object('a', '4') },
    ]);
    const { state, store, next } = run(streaming, listEnd('7'));
    expect(store).toEqual([{ do: 'commit' }]);
    expect(next).toBeUndefined();
    expect(state).toMatchObject({ at: 'watching', resourceVersion: '7' });
  });

  test('a bookmark before the end is not the end', () => {
    const { state, store } = run(streaming, event('BOOKMARK', '', '5'));
    expect(state.at).toBe('streaming');
    expect(store).toEqual([]);
  });

  test('a server that refuses streams is asked for pages, now and ever after', () => {
    const { state, next } = run(streaming, failed(failure(422, 'Invalid')));
    expect(next).toEqual({ do: 'page', limit: 500 });
    const listed = run(state, { type: 'page', items: [], resourceVersion: '9' });
    const relist = run(listed.state, failed(failure(410, 'Expired'), 20));
    expect(relist.next).toEqual({ do: 'page', limit: 500 });
  });

  test.each([
    ['ends without the bookmark', { type: 'ended', openSeconds: 400 }],
    ['says nothing', failed(silentError(330))],
    ['sends what cannot be read', failed(badResponse('not JSON'))],
  ] as [string, ReflectorInput][])(
    'a stream that %s is followed by pages, and later by a stream',
    (_, input) => {
      const { state } = run(streaming, input, { type: 'elapsed' });
      expect(state.at).toBe('paging');
      const listed = run(state, { type: 'page', items: [], resourceVersion: '9' });
      expect(run(listed.state, failed(failure(410), 20)).next).toEqual({
        do: 'watch',
        sendInitialEvents: true,
      });
    },
  );

  test('pages are staged one by one and shown together', () => {
    const paging = run(streaming, failed(failure(422))).state;
    const first = run(paging, {
      type: 'page',
      items: [object('a', '1')],
      continue: 'more',
      resourceVersion: '9',
    });
    expect(first.store).toEqual([{ do: 'stage', objects: [object('a', '1')] }]);
    expect(first.next).toEqual({ do: 'page', limit: 500, continue: 'more' });
    const last = run(first.state, { type: 'page', items: [object('b', '2')], resourceVersion: '9' });
    expect(last.store).toEqual([{ do: 'stage', objects: [object('b', '2')] }, { do: 'commit' }]);
    expect(last.next).toEqual({ do: 'watch', resourceVersion: '9', sendInitialEvents: false });
  });

  test('pages that expire on the way are read again, all at once', () => {
    const paging = run(streaming, failed(failure(422)));
    const { next, store } = run(paging.state, failed(failure(410, 'Expired')), { type: 'elapsed' });
    expect(store).toEqual([{ do: 'begin' }]);
    expect(next).toEqual({ do: 'page', limit: 0 });
  });

  test('a list without a version cannot be watched from and is read again', () => {
    const paging = run(streaming, failed(failure(422))).state;
    const { state, store } = run(paging, { type: 'page', items: [] });
    expect(state.at).toBe('waiting');
    expect(store).toEqual([]);
  });
});

describe('watching', () => {
  test('events change the copy and move the version, bookmarks only the version', () => {
    expect(run(watching, event('MODIFIED', 'a', '8'))).toMatchObject({
      store: [{ do: 'set', object: object('a', '8') }],
      state: { resourceVersion: '8' },
    });
    expect(run(watching, event('DELETED', 'a', '9')).store).toEqual([
      { do: 'remove', object: object('a', '9') },
    ]);
    expect(run(watching, event('BOOKMARK', '', '99'))).toMatchObject({
      store: [],
      state: { resourceVersion: '99' },
    });
  });

  test('versions are opaque and the last one counts, whatever it looks like', () => {
    const { state } = run(
      watching,
      event('ADDED', 'a', '1000'),
      event('ADDED', 'b', '12'),
      event('ADDED', 'c', 'x'),
    );
    expect(state).toMatchObject({ resourceVersion: 'x' });
  });

  test('the time limit of the server is no failure: on from the same version at once', () => {
    const { next, restart } = run(watching, { type: 'ended', openSeconds: 412 });
    expect(next).toEqual({ do: 'watch', resourceVersion: '7', sendInitialEvents: false });
    expect(restart).toBeUndefined();
  });

  test('a watch that ends at once is a failure, or it would be a busy loop', () => {
    const { next, restart } = run(watching, { type: 'ended', openSeconds: 0.1 });
    expect(next).toEqual({ do: 'wait', ceilingSeconds: 0.8, leastSeconds: 0 });
    expect(restart).toBe('ShortWatch');
  });

  test('410 lists anew at once, but only the first time', () => {
    const first = run(watching, failed(failure(410, 'Expired')));
    expect(first.next).toEqual({ do: 'watch', sendInitialEvents: true });
    const second = run(first.state, listEnd('8'), failed(failure(410, 'Expired')));
    expect(second.next).toMatchObject({ do: 'wait', ceilingSeconds: 1.6 });
    expect(run(second.state, { type: 'elapsed' }).next).toEqual({ do: 'watch', sendInitialEvents: true });
  });

  test.each([
    ['a broken connection', network],
    ['a hanging connection', silentError(150)],
    ['an internal error', failure(500, 'InternalError')],
    ['a server that is not ready', failure(503, 'ServiceUnavailable')],
    ['overload', failure(429, 'TooManyRequests')],
    ['refused credentials', failure(401, 'Unauthorized')],
    ['missing permission', failure(403, 'Forbidden')],
  ])('%s: waits, then goes on from the last version', (_, error) => {
    const { next, state } = run(watching, failed(error));
    expect(next).toMatchObject({ do: 'wait' });
    expect(run(state, { type: 'elapsed' }).next).toEqual({
      do: 'watch',
      resourceVersion: '7',
      sendInitialEvents: false,
    });
  });

  test.each([
    ['a version from the future', failure(504, 'Timeout')],
    ['a version that is none', failure(400, 'BadRequest')],
    ['a kind that is gone', failure(404, 'NotFound')],
    ['an event that cannot be read', badResponse('not JSON')],
  ])('%s: waits, then lists anew', (_, error) => {
    const { next, state } = run(watching, failed(error));
    expect(next).toMatchObject({ do: 'wait' });
    expect(run(state, { type: 'elapsed' }).next).toEqual({ do: 'watch', sendInitialEvents: true });
  });

  test('a server that answers the same version with errors again and again is listed anew', () => {
    let { state } = run(watching, failed(failure(500)));
    for (let refusal = 0; refusal < 5; refusal += 1) {
      expect(state).toMatchObject({ at: 'waiting', resourceVersion: '7' });
      state = run(state, { type: 'elapsed' }, failed(failure(500))).state;
    }
    expect(state).toMatchObject({ at: 'waiting', resourceVersion: undefined });
  });

  test('a server that is away for hours is never blamed on the version', () => {
    let state = watching;
    for (let failure = 0; failure < 1000; failure += 1)
      state = run(state, failed(network), { type: 'elapsed' }).state;
    expect(state).toMatchObject({ at: 'watching', resourceVersion: '7' });
  });
});

describe('waiting', () => {
  test('doubles from 0.8 s to 30 s and starts over after a connection that lasted', () => {
    let state = watching;
    const ceilings: number[] = [];
    for (let failure = 0; failure < 8; failure += 1) {
      const broken = run(state, failed(network, 2));
      if (broken.next?.do === 'wait') ceilings.push(broken.next.ceilingSeconds);
      state = run(broken.state, { type: 'elapsed' }).state;
    }
    expect(ceilings).toEqual([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]);
    expect(run(state, failed(network, 10)).next).toMatchObject({ ceilingSeconds: 0.8 });
  });

  test('takes at least the time that the server asks for', () => {
    expect(run(watching, failed(failure(429, 'TooManyRequests', 12))).next).toMatchObject({
      leastSeconds: 12,
    });
  });
});

const anyInput: fc.Arbitrary<ReflectorInput> = fc.oneof(
  fc.constant<ReflectorInput>({ type: 'start' }),
  fc.constant<ReflectorInput>({ type: 'elapsed' }),
  fc.record({
    type: fc.constant('ended' as const),
    openSeconds: fc.constantFrom(0, 2, 400),
  }),
  fc
    .record({
      status: fc.constantFrom(0, 400, 401, 403, 404, 410, 422, 429, 500, 503, 504),
      reason: fc.constantFrom('Network', 'BadResponse', 'Silence', 'Expired'),
      openSeconds: fc.constantFrom(0, 2, 400),
    })
    .map(({ status, reason, openSeconds }) => failed(failure(status, reason), openSeconds)),
  fc
    .record({
      type: fc.constantFrom('ADDED' as const, 'MODIFIED' as const, 'DELETED' as const, 'BOOKMARK' as const),
      name: fc.constantFrom('a', 'b'),
      version: fc.string(),
    })
    .map(({ type, name, version }) => event(type, name, version)),
  fc.string({ minLength: 1 }).map(listEnd),
  fc.record({
    type: fc.constant('page' as const),
    items: fc.constant([object('a', '1')]),
    continue: fc.option(fc.constant('more'), { nil: undefined }),
    resourceVersion: fc.option(fc.string(), { nil: undefined }),
  }),
);

test('whatever comes, it goes on until it is stopped, and then for good', () => {
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 60 }), (inputs) => {
      const { state } = run(initialState, { type: 'start' }, ...inputs);
      expect(state.at).not.toBe('stopped');
      const stopped = run(state, { type: 'stop' });
      expect(stopped.next).toEqual({ do: 'stop' });
      expect(run(stopped.state, ...inputs)).toEqual({ state: stopped.state, store: [] });
    }),
  );
});

test('whatever comes, only a complete list is committed, and the copy changes only while watching', () => {
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 60 }), (inputs) => {
      let state: ReflectorState = run(initialState, { type: 'start' }).state;
      let isListing = true;
      for (const input of inputs) {
        const before = state;
        const { store, state: next } = step(state, input);
        state = next;
        for (const command of store) {
          if (command.do === 'begin') isListing = true;
          if (command.do === 'stage' || command.do === 'unstage') expect(isListing).toBe(true);
          if (command.do === 'set' || command.do === 'remove') expect(before.at).toBe('watching');
          if (command.do !== 'commit') continue;
          expect(isListing).toBe(true);
          expect(['streaming', 'paging']).toContain(before.at);
          expect(next.at).toBe('watching');
          isListing = false;
        }
      }
    }),
  );
});

test('whatever comes, failures in a row are never answered by a busy loop', () => {
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 60 }), (inputs) => {
      let state: ReflectorState = run(initialState, { type: 'start' }).state;
      let reconnectsWithoutWait = 0;
      for (const input of inputs) {
        const { next, state: moved } = step(state, input);
        state = moved;
        if (next?.do === 'wait') reconnectsWithoutWait = 0;
        if (input.type === 'failed' && input.openSeconds < 10 && next && next.do !== 'wait') {
          reconnectsWithoutWait += 1;
        }
        if (input.type !== 'failed' || input.openSeconds >= 10) reconnectsWithoutWait = 0;
        expect(reconnectsWithoutWait).toBeLessThanOrEqual(2); // 410, then a refused stream
      }
    }),
  );
});
