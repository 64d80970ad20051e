/**
 * What a city holds and the hub does not know of: a hub that has lost its memory adopts what it finds. Nothing is ever
 * taken from a city only because the hub does not know of it.
 */
import type { ClaimReport } from './claim.ts';
import type { Entry, Look } from './look.ts';
import {
  ALL_FIT,
  NO_SHARES,
  newShare,
  type Service,
  type ServiceRecord,
  type ShareRecord,
} from './records.ts';

/** One entry per service, with a share for each city that holds something of it. */
export function entriesOf(services: readonly Service[], look: Look): Map<string, Entry> {
  const entries = new Map(
    services.map((service) => [service.intent.key, { service, record: recordOf(service, look) }]),
  );
  const { touched } = look;
  for (const { city } of look.sights.values()) {
    for (const [key, claim] of city.claims) {
      // What is claimed of the others was seen at an earlier look.
      if (touched && !touched.has(key)) continue;
      const entry = entries.get(key);
      if (!entry) continue;
      // The next grant must be newer than anything that a city has seen, what was withdrawn included.
      if (claim.epoch > entry.record.epoch) entry.record = { ...entry.record, epoch: claim.epoch };
      if (isNothing(claim) || entry.record.shares.has(city.name)) continue;
      entry.record = withAdopted(entry, city.name, claim, city.session ?? '');
    }
  }
  return entries;
}

function recordOf({ intent, record }: Service, { isListening }: Look): ServiceRecord {
  if (!record) {
    const { key } = intent;
    return { key, epoch: 0, shares: NO_SHARES, waiting: 0, unfit: ALL_FIT, isProvisional: isListening };
  }
  return record.isProvisional && !isListening ? { ...record, isProvisional: false } : record;
}

function withAdopted(
  { service, record }: Entry,
  city: string,
  { epoch, floor, ceiling }: ClaimReport,
  session: string,
): ServiceRecord {
  const share: ShareRecord = {
    ...newShare(city),
    assigned: service.intent.replicas === 0 ? 0 : floor,
    grant: { epoch, session, floor, ceiling },
    mayHold: ceiling,
  };
  return { ...record, shares: new Map(record.shares).set(city, share) };
}

/** Withdrawn, and the pods are gone. */
function isNothing({ floor, ceiling, running }: ClaimReport): boolean {
  return floor === 0 && ceiling === 0 && running === 0;
}
