/**
 * When a city was heard of, on the hub's own clock: what counts is that the hub sees the heartbeat change, never what
 * time stands in it. A report counts when the heartbeat names it, so that what is looked at is never older than that.
 */
import type { CityReportBody } from '../../../crds/city-report.ts';
import { CityViews, REGION_ANNOTATIONS } from '../../../crds/region.ts';
import type { View } from '../failover/vantage.ts';

/** The Lease of a city as far as the city writes it. */
export interface Heartbeat {
  readonly holder?: string;
  readonly renewTime?: string;
  readonly session?: string;
  readonly sequence?: number;
  readonly viewsText?: string;
  /** What another cluster says that wants to speak for this city and stands back: who it is, and when. */
  readonly contenderText?: string;
}

/** What was heard of a city since this hub began. */
export interface Hearing {
  readonly beat: Heartbeat;
  readonly heardAtMs?: number;
  readonly reportedAtMs?: number;
  readonly views: ReadonlyMap<string, View>;
  /** Another cluster that beats under the same name, and when it did last. */
  readonly rival?: { readonly holder: string; readonly atMs: number };
  /** Another cluster that wants the name and stands back, and when it said so last. */
  readonly contender?: { readonly holder: string; readonly atMs: number };
}

export const NOTHING_HEARD: Hearing = { beat: {}, views: new Map() };

/** A Lease as it is on the wire. */
export interface LeaseLike {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string };
}

export function heartbeatOf({ metadata: { annotations = {} }, spec = {} }: LeaseLike): Heartbeat {
  const { holderIdentity, renewTime } = spec;
  const session = annotations[REGION_ANNOTATIONS.session];
  const sequence = Number(annotations[REGION_ANNOTATIONS.sequence] ?? Number.NaN);
  const viewsText = annotations[REGION_ANNOTATIONS.views];
  const contenderText = annotations[REGION_ANNOTATIONS.contender];
  return {
    ...(holderIdentity ? { holder: holderIdentity } : {}),
    ...(renewTime ? { renewTime } : {}),
    ...(session ? { session } : {}),
    ...(Number.isSafeInteger(sequence) ? { sequence } : {}),
    ...(viewsText ? { viewsText } : {}),
    ...(contenderText ? { contenderText } : {}),
  };
}

/** The first sight of a Lease says nothing about now; only a change does. */
export function firstSeen(beat: Heartbeat): Hearing {
  return { ...NOTHING_HEARD, beat };
}

/** @returns the same object when neither the city nor a contender has spoken since */
export function heard(
  before: Hearing,
  beat: Heartbeat,
  report: CityReportBody | undefined,
  nowMs: number,
): Hearing {
  return contended(beatHeard(before, beat, report, nowMs), before.beat, beat, nowMs);
}

/** What a contender writes is no beat of the city. */
function contended(after: Hearing, was: Heartbeat, beat: Heartbeat, nowMs: number): Hearing {
  const { contenderText } = beat;
  if (contenderText === undefined || contenderText === was.contenderText) return after;
  const [, holder] = CONTENDER.exec(contenderText) ?? [];
  return { ...after, beat, ...(holder ? { contender: { holder, atMs: nowMs } } : {}) };
}

function beatHeard(
  before: Hearing,
  beat: Heartbeat,
  report: CityReportBody | undefined,
  nowMs: number,
): Hearing {
  const was = before.beat;
  if (was.renewTime === beat.renewTime && was.holder === beat.holder && isSameReport(was, beat)) {
    return before;
  }
  if (beat.renewTime === undefined) return { ...before, beat };
  const isAnother = was.holder !== undefined && beat.holder !== was.holder;
  const rival = isAnother ? { holder: was.holder, atMs: before.heardAtMs ?? nowMs } : before.rival;
  return {
    beat,
    heardAtMs: nowMs,
    ...(names(beat, report) ? { reportedAtMs: nowMs } : kept(before)),
    views: beat.viewsText === undefined ? NOTHING_HEARD.views : viewsAt(beat.viewsText, nowMs),
    ...(rival ? { rival } : {}),
    ...(before.contender ? { contender: before.contender } : {}),
  };
}

/** A report has arrived after the heartbeat that names it. @returns the same object when it is not that one */
export function reported(before: Hearing, report: CityReportBody | undefined, nowMs: number): Hearing {
  const { heardAtMs, reportedAtMs, beat } = before;
  if (heardAtMs === undefined || (reportedAtMs !== undefined && reportedAtMs >= heardAtMs)) return before;
  return names(beat, report) ? { ...before, reportedAtMs: nowMs } : before;
}

/** Two clusters have beaten under this name within the time in which one city would be late. */
export function hasRival({ rival, heardAtMs }: Hearing, lateAfterMs: number): boolean {
  return rival !== undefined && heardAtMs !== undefined && heardAtMs - rival.atMs < 2 * lateAfterMs;
}

/** @returns who wants the name of the city and has said so lately; it may be gone when the city next beats */
export function contenderOf(
  { beat, contender, heardAtMs = Number.POSITIVE_INFINITY }: Hearing,
  lateAfterMs: number,
): string | undefined {
  // It may have taken the place of one that is gone.
  if (contender?.holder === beat.holder) return undefined;
  return contender && heardAtMs - contender.atMs < 2 * lateAfterMs ? contender.holder : undefined;
}

/** The UID of a cluster and a time; the first is shown to people. */
const CONTENDER = /^([\w.-]{1,64}) /;

/** A report of the same session that is newer holds all that the named one does. */
function names({ session, sequence }: Heartbeat, report: CityReportBody | undefined): boolean {
  return report !== undefined && report.session === session && report.sequence >= (sequence ?? Infinity);
}

function kept({ reportedAtMs }: Hearing): Pick<Hearing, 'reportedAtMs'> {
  return reportedAtMs === undefined ? {} : { reportedAtMs };
}

function isSameReport(a: Heartbeat, b: Heartbeat): boolean {
  return a.session === b.session && a.sequence === b.sequence && a.viewsText === b.viewsText;
}

/** A text that cannot be read says nothing; a city cannot date what it saw into the future. */
function viewsAt(text: string, nowMs: number): ReadonlyMap<string, View> {
  try {
    const views = CityViews.safeParse(JSON.parse(text)).data ?? {};
    return new Map(
      Object.entries(views).map(([city, { sees, ageSeconds }]) => [
        city,
        { sees, atMs: nowMs - ageSeconds * 1000 },
      ]),
    );
  } catch {
    return NOTHING_HEARD.views;
  }
}
