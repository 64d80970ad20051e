import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Effect,
  type Event,
  initialState,
  isReady,
  type Problem,
  problemOf,
  reportedState,
  retrySeconds,
  type Served,
  type State,
  step,
  type Target,
} from '../../../../model-server/serve/lifecycle.ts';

const target = (revision: string): Target => ({ revision, source: { uri: `https://models/${revision}` } });
const served = (revision: string, version?: number): Served => ({
  revision,
  format: 'SavedModel',
  digest: `sha256:${revision}`,
  ...(version === undefined ? {} : { version }),
});
const problem: Problem = { reason: 'SourceUnreachable', message: 'it does not answer', pace: 'soon' };

const assigned = (revision: string): Event => ({ kind: 'Assigned', target: target(revision) });
const loaded = (load: number, revision: string): Event => ({
  kind: 'Loaded',
  load,
  served: served(revision),
});

function run(events: readonly Event[], from: State = initialState): { state: State; effects: Effect[] } {
  let state = from;
  const effects: Effect[] = [];
  for (const event of events) {
    const [next, caused] = step(state, event);
    state = next;
    effects.push(...caused);
  }
  return { state, effects };
}

/** Effects in the order of events, as `StartLoad 1`. */
const told = (effects: readonly Effect[]) =>
  effects.map((effect) =>
    [
      effect.kind,
      ...('load' in effect ? [effect.load] : []),
      ...('afterSeconds' in effect ? [`${effect.afterSeconds}s`] : []),
    ].join(' '),
  );

describe('the usual ways', () => {
  test.each<[string, Event[], string[], State['work']['kind'], string, string | undefined]>([
    ['first load', [assigned('a'), loaded(1, 'a')], ['StartLoad 1', 'Swap 1'], 'Idle', 'Serving', 'a'],
    ['starting', [], [], 'Idle', 'Starting', undefined],
    ['loading', [assigned('a')], ['StartLoad 1'], 'Loading', 'Loading', undefined],
    ['the same again', [assigned('a'), assigned('a')], ['StartLoad 1'], 'Loading', 'Loading', undefined],
    [
      'a new model beside the old one',
      [assigned('a'), loaded(1, 'a'), assigned('b')],
      ['StartLoad 1', 'Swap 1', 'StartLoad 2'],
      'Loading',
      'Serving',
      'a',
    ],
    [
      'the newest assignment wins',
      [assigned('a'), assigned('b'), assigned('c'), loaded(1, 'a'), loaded(3, 'c')],
      ['StartLoad 1', 'AbortLoad 1', 'StartLoad 2', 'AbortLoad 2', 'StartLoad 3', 'Discard 1', 'Swap 3'],
      'Idle',
      'Serving',
      'c',
    ],
    [
      'back to what is served, while another loads',
      [assigned('a'), loaded(1, 'a'), assigned('b'), assigned('a')],
      ['StartLoad 1', 'Swap 1', 'StartLoad 2', 'AbortLoad 2'],
      'Idle',
      'Serving',
      'a',
    ],
    [
      'a failure is tried again, later each time',
      [
        assigned('a'),
        { kind: 'LoadFailed', load: 1, problem },
        { kind: 'RetryDue', load: 1 },
        { kind: 'LoadFailed', load: 2, problem },
      ],
      ['StartLoad 1', 'Retry 1 1s', 'StartLoad 2', 'Retry 2 2s'],
      'Waiting',
      'Failed',
      undefined,
    ],
    [
      'a failure keeps the old model',
      [assigned('a'), loaded(1, 'a'), assigned('b'), { kind: 'LoadFailed', load: 2, problem }],
      ['StartLoad 1', 'Swap 1', 'StartLoad 2', 'Retry 2 1s'],
      'Waiting',
      'Failed',
      'a',
    ],
    [
      'a broken new version directory leaves the replica serving',
      [assigned('a'), loaded(1, 'a'), { kind: 'SourceChanged' }, { kind: 'LoadFailed', load: 2, problem }],
      ['StartLoad 1', 'Swap 1', 'StartLoad 2', 'Retry 2 1s'],
      'Waiting',
      'Serving',
      'a',
    ],
    [
      'changed files cut the wait short',
      [
        assigned('a'),
        { kind: 'LoadFailed', load: 1, problem },
        { kind: 'SourceChanged' },
        { kind: 'RetryDue', load: 1 },
      ],
      ['StartLoad 1', 'Retry 1 1s', 'StartLoad 2'],
      'Loading',
      'Loading',
      undefined,
    ],
    [
      'draining gives up a load and takes no more',
      [
        assigned('a'),
        loaded(1, 'a'),
        assigned('b'),
        { kind: 'DrainRequested' },
        assigned('c'),
        { kind: 'SourceChanged' },
      ],
      ['StartLoad 1', 'Swap 1', 'StartLoad 2', 'AbortLoad 2'],
      'Idle',
      'Draining',
      'a',
    ],
    [
      'a dead engine is the end',
      [assigned('a'), loaded(1, 'a'), { kind: 'EngineDied', message: 'gone' }, assigned('b')],
      ['StartLoad 1', 'Swap 1'],
      'Idle',
      'Failed',
      undefined,
    ],
  ])('%s', (_what, events, effects, work, reported, serving) => {
    const outcome = run(events);
    expect(told(outcome.effects)).toEqual(effects);
    expect(outcome.state.work.kind).toBe(work);
    expect(reportedState(outcome.state)).toBe(reported);
    expect(outcome.state.served?.revision).toBe(serving);
  });
});

describe('the cause of a failure', () => {
  const failedOnce: Event[] = [assigned('a'), { kind: 'LoadFailed', load: 1, problem }];
  const other: Problem = { reason: 'DigestMismatch', message: 'other bytes', pace: 'later' };

  test.each<[string, Event[], Problem | undefined]>([
    ['stands while the next try is awaited', [], problem],
    ['stands while it goes on', [{ kind: 'RetryDue', load: 1 }], problem],
    [
      'stands whatever it does',
      [
        { kind: 'RetryDue', load: 1 },
        { kind: 'Progressed', load: 2, message: 'on' },
      ],
      problem,
    ],
    ['stands while changed files are loaded', [{ kind: 'SourceChanged' }], problem],
    [
      'gives way to a newer one',
      [
        { kind: 'RetryDue', load: 1 },
        { kind: 'LoadFailed', load: 2, problem: other },
        { kind: 'RetryDue', load: 2 },
      ],
      other,
    ],
    ['is forgotten with success', [{ kind: 'RetryDue', load: 1 }, loaded(2, 'a')], undefined],
    ['is not that of another revision', [{ kind: 'RetryDue', load: 1 }, assigned('b')], undefined],
    ['is forgotten when draining', [{ kind: 'RetryDue', load: 1 }, { kind: 'DrainRequested' }], undefined],
  ])('%s', (_what, events, expected) => {
    expect(problemOf(run([...failedOnce, ...events]).state)).toEqual(expected);
  });
});

test.each([
  ['soon', [1, 2, 4, 8, 16, 30, 30]],
  ['later', [30, 60, 120, 240, 480, 600, 600]],
] as const)('pauses of %s', (pace, seconds) => {
  expect(seconds.map((_, index) => retrySeconds(pace, index + 1))).toEqual(seconds);
  expect(retrySeconds(pace, 1_000_000)).toBe(seconds.at(-1));
});

describe('whatever happens in whatever order', () => {
  const load = fc.integer({ min: 1, max: 8 });
  const revision = fc.constantFrom('a', 'b', 'c');
  const event: fc.Arbitrary<Event> = fc.oneof(
    revision.map(assigned),
    fc.constant<Event>({ kind: 'SourceChanged' }),
    load.map((n): Event => ({ kind: 'Progressed', load: n, message: 'on' })),
    fc.tuple(load, revision).map(([n, r]) => loaded(n, r)),
    load.map((n): Event => ({ kind: 'LoadFailed', load: n, problem })),
    load.map((n): Event => ({ kind: 'RetryDue', load: n })),
    fc.constant<Event>({ kind: 'DrainRequested' }),
    fc.constant<Event>({ kind: 'EngineDied', message: 'gone' }),
  );

  test('at most one load runs, and what was served stays until another one is', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        let state = initialState;
        const running = new Set<number>();
        for (const each of events) {
          const before = state;
          const [next, effects] = step(state, each);
          if ('load' in each && (each.kind === 'Loaded' || each.kind === 'LoadFailed'))
            running.delete(each.load);
          for (const effect of effects) {
            if (effect.kind === 'StartLoad') running.add(effect.load);
            if (effect.kind === 'AbortLoad') running.delete(effect.load);
          }
          expect(running.size).toBeLessThanOrEqual(1);
          const swapped = effects.some(({ kind }) => kind === 'Swap');
          if (!swapped && each.kind !== 'EngineDied') expect(next.served).toBe(before.served);
          if (before.draining || before.engineFailure) expect(isReady(next)).toBe(false);
          state = next;
        }
      }),
    );
  });

  test('a load that runs on is told of exactly once', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const { effects } = run(events);
        const started = effects.flatMap((effect) => (effect.kind === 'StartLoad' ? [effect.load] : []));
        expect(started).toEqual(started.map((_, index) => index + 1));
      }),
    );
  });
});
