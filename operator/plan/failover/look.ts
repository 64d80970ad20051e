/** What passes through the stages of one look. */
import type { CityKnowledge, Service, ServiceRecord } from './records.ts';
import type { FailoverSettings } from './rhythm.ts';
import type { CitySight } from './sights.ts';

export interface RegionInput {
  readonly nowMs: number;
  /** Since when this hub has been looking without a pause: silence before then says nothing. */
  readonly awakeSinceMs: number;
  readonly settings: FailoverSettings;
  readonly cities: readonly CityKnowledge[];
  readonly services: readonly Service[];
  /**
   * Services whose spec has changed or that `touchedBy` names; of the others only those that are not at rest are looked
   * at. Absent: all, as when `touchedBy` says so or a city has gone.
   */
  readonly touched?: ReadonlySet<string>;
  /** The look before changed nothing, and nothing but time has passed since (`isQuiet`): what is placed is not placed anew. */
  readonly isQuiet?: boolean;
}

export interface Look extends RegionInput {
  readonly sights: ReadonlyMap<string, CitySight>;
  /** Woken up a moment ago; somebody may still be about to speak. */
  readonly isListening: boolean;
}

/** A service on its way through the look; the record is replaced as it goes. */
export interface Entry {
  readonly service: Service;
  record: ServiceRecord;
}
