/**
 * What is known of every replica: its newest report and how old that is. Kept in memory only; a new leader learns it
 * anew within one report interval.
 */
import type { LoadReport } from '../../crds/load-report.ts';
import { REPORT_STALE_AFTER_SECONDS } from '../../crds/pod-contract.ts';
import type { Clock } from '../runtime/clock.ts';
import { differsForPeople } from './significance.ts';

export interface ReplicaReport {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** Name of the ModelService, in the pod's namespace. */
  readonly service: string;
  /** Milliseconds of the injected clock's monotonic time; compare by `ageSeconds`, never with a wall clock. */
  readonly receivedAt: number;
  readonly report: LoadReport;
}

export interface ServiceKey {
  readonly namespace: string;
  readonly service: string;
}

/** The registry as its readers see it. */
export interface ReplicaReports {
  /** The newest report of each replica of one service, fresh or stale, in no particular order. */
  of(namespace: string, service: string): ReplicaReport[];
  /** The newest report of each replica in one namespace. */
  inNamespace(namespace: string): ReplicaReport[];
  /** Seconds since the report arrived. */
  ageSeconds(replica: ReplicaReport): number;
  /** True while the report is young enough to be believed (`REPORT_STALE_AFTER_SECONDS`). */
  isFresh(replica: ReplicaReport): boolean;
  /**
   * False for `REPORT_STALE_AFTER_SECONDS` after `beginListening()`: until then a replica without a report has only
   * not been heard yet, and nothing may be concluded from its silence. Listeners hear of every known service when
   * this turns true; services of which no report has arrived must be looked at again after `secondsUntilSettled`.
   */
  readonly settled: boolean;
  readonly secondsUntilSettled: number;
  /**
   * Calls back when something that shows in status changed: a new replica, another state, model, progress or error,
   * a load that differs visibly, a report that turned stale, a replica that is gone. Returns the function that ends it.
   */
  onChange(listener: (key: ServiceKey) => void): () => void;
}

/** `outOfOrder`: a newer report of that pod is already known. */
export type Admission = 'accepted' | 'outOfOrder';

interface Entry extends ReplicaReport {
  /** What listeners were last told of. */
  readonly told: LoadReport;
  readonly toldStale: boolean;
}

export class ReportRegistry implements ReplicaReports {
  readonly #clock: Clock;
  readonly #byUid = new Map<string, Entry>();
  /** Namespace, then service, then pod uid. */
  readonly #byService = new Map<string, Map<string, Map<string, Entry>>>();
  readonly #listeners = new Set<(key: ServiceKey) => void>();
  #listeningSince: number | undefined;
  #toldSettled = false;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** To be called when this process becomes the one that reports are sent to. */
  beginListening(): void {
    this.#listeningSince = this.#nowMilliseconds();
    this.#toldSettled = false;
  }

  get settled(): boolean {
    return this.secondsUntilSettled === 0;
  }

  get secondsUntilSettled(): number {
    if (this.#listeningSince === undefined) return REPORT_STALE_AFTER_SECONDS;
    const listenedSeconds = (this.#nowMilliseconds() - this.#listeningSince) / 1000;
    return Math.max(0, REPORT_STALE_AFTER_SECONDS - listenedSeconds);
  }

  of(namespace: string, service: string): ReplicaReport[] {
    return [...(this.#byService.get(namespace)?.get(service)?.values() ?? [])];
  }

  inNamespace(namespace: string): ReplicaReport[] {
    return [...(this.#byService.get(namespace)?.values() ?? [])].flatMap((pods) => [...pods.values()]);
  }

  ageSeconds(replica: ReplicaReport): number {
    return (this.#nowMilliseconds() - replica.receivedAt) / 1000;
  }

  isFresh(replica: ReplicaReport): boolean {
    return this.ageSeconds(replica) <= REPORT_STALE_AFTER_SECONDS;
  }

  /** Takes in a report whose sender was proven to be the pod that it names. */
  accept(report: LoadReport): Admission {
    const known = this.#byUid.get(report.pod.uid);
    if (known && this.isFresh(known) && !isNewer(report, known.report)) return 'outOfOrder';
    const changedService = known && known.service !== report.service;
    if (changedService) this.forget(known.pod.uid);
    const matters = !known || changedService || known.toldStale || differsForPeople(known.told, report);
    const entry: Entry = {
      pod: report.pod,
      service: report.service,
      receivedAt: this.#nowMilliseconds(),
      report,
      told: matters ? report : known.told,
      toldStale: false,
    };
    this.#put(entry);
    if (matters) this.#tell(keyOf(entry));
    return 'accepted';
  }

  /** Drops what is known of a pod that no longer exists. */
  forget(podUid: string): void {
    const entry = this.#byUid.get(podUid);
    if (!entry) return;
    const services = this.#byService.get(entry.pod.namespace)!;
    const pods = services.get(entry.service)!;
    this.#byUid.delete(podUid);
    pods.delete(podUid);
    if (pods.size === 0) services.delete(entry.service);
    if (services.size === 0) this.#byService.delete(entry.pod.namespace);
    this.#tell(keyOf(entry));
  }

  /** Tells listeners of reports that turned stale since the last call; to be called about every second. */
  sweep(): void {
    const becameSettled = this.settled && !this.#toldSettled;
    this.#toldSettled ||= becameSettled;
    const changed = new Map<string, ServiceKey>();
    for (const entry of this.#byUid.values()) {
      const turnedStale = !entry.toldStale && !this.isFresh(entry);
      if (turnedStale) this.#put({ ...entry, toldStale: true });
      if (turnedStale || becameSettled) changed.set(`${entry.pod.namespace}/${entry.service}`, keyOf(entry));
    }
    for (const key of changed.values()) this.#tell(key);
  }

  onChange(listener: (key: ServiceKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(entry: Entry): void {
    const { namespace, uid } = entry.pod;
    const services = this.#byService.get(namespace) ?? new Map<string, Map<string, Entry>>();
    const pods = services.get(entry.service) ?? new Map<string, Entry>();
    this.#byUid.set(uid, entry);
    this.#byService.set(namespace, services.set(entry.service, pods.set(uid, entry)));
  }

  #tell(key: ServiceKey): void {
    for (const listener of this.#listeners) listener(key);
  }

  #nowMilliseconds(): number {
    return this.#clock.monotonicSeconds() * 1000;
  }
}

const keyOf = ({ pod, service }: ReplicaReport): ServiceKey => ({ namespace: pod.namespace, service });

/**
 * Order matters between reports that overtake each other within seconds, no further: a pod whose clock was set back
 * before its container restarted would otherwise never be heard again.
 */
function isNewer(report: LoadReport, known: LoadReport): boolean {
  if (report.startedAt !== known.startedAt) return report.startedAt > known.startedAt;
  return report.sequence > known.sequence;
}
