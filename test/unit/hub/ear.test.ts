import { describe, expect, test } from '@jest/globals';
import { REGION_ANNOTATIONS } from '../../../crds/region.ts';
import {
  contenderOf,
  firstSeen,
  type Hearing,
  hasRival,
  heard,
  heartbeatOf,
  NOTHING_HEARD,
  reported,
} from '../../../operator/plan/hub/ear.ts';

interface Beat {
  readonly at: string;
  readonly holder?: string;
  readonly session?: string;
  readonly sequence?: number;
  readonly views?: string;
  readonly contender?: string;
}

const beat = ({ at, holder = 'uid-1', session = 's1', sequence = 1, views, contender }: Beat) =>
  heartbeatOf({
    metadata: {
      annotations: {
        [REGION_ANNOTATIONS.session]: session,
        [REGION_ANNOTATIONS.sequence]: String(sequence),
        [REGION_ANNOTATIONS.peers]: '{}',
        ...(contender === undefined ? {} : { [REGION_ANNOTATIONS.contender]: contender }),
        ...(views === undefined ? {} : { [REGION_ANNOTATIONS.views]: views }),
      },
    },
    spec: { holderIdentity: holder, renewTime: at },
  });
const report = (session: string, sequence: number) => ({ session, sequence });
const first = firstSeen(beat({ at: '1' }));

describe('hearing', () => {
  test('what is there when the hub begins says nothing about now', () => {
    expect(first.heardAtMs).toBeUndefined();
  });

  test('what does not change is not heard, whatever the hub itself has written beside it', () => {
    expect(heard(first, beat({ at: '1' }), report('s1', 1), 100)).toBe(first);
  });

  test.each<[string, Beat, object | undefined, number | undefined]>([
    ['the report that it names', { at: '2' }, report('s1', 1), 100],
    ['a newer report of the session', { at: '2' }, report('s1', 2), 100],
    ['an older report', { at: '2', sequence: 2 }, report('s1', 1), undefined],
    ['the report of another session', { at: '2', session: 's2' }, report('s1', 9), undefined],
    ['no report', { at: '2' }, undefined, undefined],
  ])('a beat with %s', (_, next, found, reportedAtMs) => {
    const after = heard(first, beat(next), found as never, 100);
    expect(after.heardAtMs).toBe(100);
    expect(after.reportedAtMs).toBe(reportedAtMs);
  });

  test('a report that comes after its beat counts when it comes, and once', () => {
    const early = heard(first, beat({ at: '2', sequence: 2 }), report('s1', 1), 100);
    expect(reported(early, report('s1', 1), 110)).toBe(early);
    const complete = reported(early, report('s1', 2), 120);
    expect(complete).toMatchObject({ heardAtMs: 100, reportedAtMs: 120 });
    expect(reported(complete, report('s1', 3), 130)).toBe(complete);
  });

  test('a report alone is no sign of life', () => {
    expect(reported(first, report('s1', 1), 100)).toBe(first);
  });

  test('a Lease that nobody has ever renewed is nothing', () => {
    const after = heard(NOTHING_HEARD, heartbeatOf({ metadata: {} }), undefined, 100);
    expect(after.heardAtMs).toBeUndefined();
  });
});

describe('a cluster that wants the name and stands back', () => {
  const alone = heard(first, beat({ at: '2' }), undefined, 100);
  const wanted = heard(alone, beat({ at: '2', contender: 'uid-2 t1' }), undefined, 150);

  test('is known by its name, and is neither a beat of the city nor a rival', () => {
    expect(contenderOf(wanted, 50)).toBe('uid-2');
    expect(wanted.heardAtMs).toBe(100);
    expect(hasRival(wanted, 50)).toBe(false);
  });

  test('is there until it has said nothing for long, as the city goes on', () => {
    const beaten = (at: string, nowMs: number, contender = 'uid-2 t1') =>
      heard(wanted, beat({ at, contender }), undefined, nowMs);
    expect(contenderOf(beaten('3', 249), 50)).toBe('uid-2');
    expect(contenderOf(beaten('3', 250), 50)).toBeUndefined();
    expect(contenderOf(beaten('3', 250, 'uid-2 t2'), 50)).toBe('uid-2');
  });

  test('is nobody when it has spoken before this hub began', () => {
    const before = firstSeen(beat({ at: '1', contender: 'uid-2 t1' }));
    expect(
      contenderOf(heard(before, beat({ at: '2', contender: 'uid-2 t1' }), undefined, 100), 50),
    ).toBeUndefined();
  });

  test('is nobody once it has taken the place of the first', () => {
    const taken = heard(wanted, beat({ at: '3', holder: 'uid-2', contender: 'uid-2 t1' }), undefined, 160);
    expect(contenderOf(taken, 50)).toBeUndefined();
  });

  test.each(['', 'x', ' ', `${'x'.repeat(65)} t`, 'a\nb t'])('has no name in %j', (contender) => {
    expect(heard(alone, beat({ at: '2', contender }), undefined, 150).contender).toBeUndefined();
  });
});

describe('what it sees of others', () => {
  test('is dated by its age', () => {
    const { views } = heard(
      first,
      beat({ at: '2', views: '{"faro":{"sees":true,"ageSeconds":3}}' }),
      undefined,
      9000,
    );
    expect(views).toEqual(new Map([['faro', { sees: true, atMs: 6000 }]]));
  });

  test.each(['', '{', '{"faro":true}', '{"faro":{"sees":true,"ageSeconds":-5}}'])(
    '%j says nothing',
    (views) => {
      expect(heard(first, beat({ at: '2', views }), undefined, 9000).views.size).toBe(0);
    },
  );
});

describe('two clusters under one name', () => {
  const LATE = 1000;
  const next = (before: Hearing, holder: string, atMs: number) =>
    heard(before, beat({ at: String(atMs), holder }), undefined, atMs);

  test('are noticed as long as both beat', () => {
    let hearing = next(first, 'uid-1', 100);
    expect(hasRival(hearing, LATE)).toBe(false);
    for (let i = 2; i < 20; i++) hearing = next(hearing, `uid-${1 + (i % 2)}`, i * 300);
    expect(hasRival(hearing, LATE)).toBe(true);
  });

  test('one that follows the other for good is one city again', () => {
    let hearing = next(next(first, 'uid-1', 100), 'uid-2', 400);
    expect(hasRival(hearing, LATE)).toBe(true);
    hearing = next(hearing, 'uid-2', 100 + 2 * LATE);
    expect(hasRival(hearing, LATE)).toBe(false);
  });
});
