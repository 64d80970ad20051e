/**
 * What of a report has changed since the hub was told, and how urgent that is. Only what has changed travels, as a JSON
 * merge patch (RFC 7386): claims by their key, `null` for those that are gone.
 */
import type { CityReportBody, ClaimStatus } from '../../../crds/city-report.ts';
import { canonicalJson } from '../canonical-json.ts';

/** What a city has to say, without the session and the number of the message. */
export type ReportContent = Omit<CityReportBody, 'session' | 'sequence'>;

/**
 * `Urgent`: the hub may have to act (what runs, what is ready, what is obeyed). `Load`: figures that may wait a little.
 */
export type Urgency = 'None' | 'Load' | 'Urgent';

export interface ReportChange {
  readonly urgency: Urgency;
  /** To be merged into `report`, beside session and sequence. */
  readonly patch: Readonly<Record<string, unknown>>;
}

/** Fields of a claim by which nothing is decided at once; each moves all the time. */
const UNHURRIED: ReadonlySet<string> = new Set<keyof ClaimStatus>([
  'needed',
  'message',
  'busyPercent',
  'queueTimeMilliseconds',
  'requestsPerSecond',
]);

/** @param before what the hub has; undefined when that is not known, and then nothing may be left out */
export function changeOf(before: ReportContent | undefined, after: ReportContent): ReportChange {
  const { claims: claimsBefore = {}, ...restBefore } = before ?? {};
  const { claims = {}, ...rest } = after;
  const patch: Record<string, unknown> = membersPatch(restBefore, rest);
  let urgency: Urgency = before === undefined ? 'Urgent' : 'None';
  for (const field of Object.keys(patch))
    urgency = higher(urgency, field === 'capacity' ? capacityUrgency(before, after) : 'Urgent');
  const claimPatches: Record<string, unknown> = {};
  for (const [key, claim] of Object.entries(claims)) {
    const old = claimsBefore[key];
    const changed = membersPatch(old ?? {}, claim);
    const fields = Object.keys(changed);
    if (fields.length === 0) continue;
    claimPatches[key] = changed;
    urgency = higher(urgency, old && fields.every((field) => UNHURRIED.has(field)) ? 'Load' : 'Urgent');
  }
  for (const key of Object.keys(claimsBefore)) {
    if (key in claims) continue;
    claimPatches[key] = null;
    urgency = 'Urgent';
  }
  if (Object.keys(claimPatches).length > 0) patch['claims'] = claimPatches;
  return { urgency, patch };
}

/** Nodes that come or go are news; what other workloads of the city use moves all the time. */
function capacityUrgency(before: ReportContent | undefined, after: ReportContent): Urgency {
  const totals = ({ capacity = [] }: ReportContent) =>
    capacity.map(({ resource, total }) => ({ resource, total }));
  return canonicalJson(totals(before ?? {})) === canonicalJson(totals(after)) ? 'Load' : 'Urgent';
}

function membersPatch(before: object, after: object): Record<string, unknown> {
  const [old, wanted] = [before, after] as Record<string, unknown>[];
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(old!), ...Object.keys(wanted!)])) {
    const value = wanted![name];
    if (canonicalJson(old![name]) !== canonicalJson(value)) patch[name] = value ?? null;
  }
  return patch;
}

const ORDER: readonly Urgency[] = ['None', 'Load', 'Urgent'];

function higher(a: Urgency, b: Urgency): Urgency {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}
