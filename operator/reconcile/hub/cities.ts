/** What the leading hub knows of each city, kept up to date from the local copies. */
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { CityReport, CityReportBody, ClaimStatus } from '../../../crds/city-report.ts';
import { CITY_OBJECTS, cityNamespace } from '../../../crds/region.ts';
import { canonicalJson } from '../../plan/canonical-json.ts';
import type { CityKnowledge } from '../../plan/failover/records.ts';
import { ALWAYS_THERE, type Steadiness } from '../../plan/failover/steadiness.ts';
import {
  differingClaims,
  knowledgeOf,
  NO_REPORT,
  type ReadReport,
  readReport,
} from '../../plan/hub/city-knowledge.ts';
import {
  contenderOf,
  firstSeen,
  type Hearing,
  hasRival,
  heard,
  NOTHING_HEARD,
  reported,
} from '../../plan/hub/ear.ts';
import { peersOf } from '../../plan/hub/peers.ts';
import type { HubClock } from './hub-clock.ts';
import type { HubStores, KeptLease } from './stores.ts';

interface City {
  object: CityCluster;
  report: CityReportBody | undefined;
  read: ReadReport;
  hearing: Hearing;
  steadiness: Steadiness;
  /** Undefined when something has changed since it was made. */
  knowledge: CityKnowledge | undefined;
}

export interface CityListener {
  /** Something of the city may be of interest for a look. */
  cityChanged(city: string): void;
  /** A city says something else of these services. */
  claimsChanged(city: string, services: ReadonlySet<string>): void;
  /** A city has come or gone. */
  citiesChanged(city: string): void;
}

export class Cities {
  readonly #cities = new Map<string, City>();
  readonly #stores: Pick<HubStores, 'cityClusters' | 'cityReports' | 'leases'>;
  readonly #clock: HubClock;
  readonly #listener: CityListener;
  readonly #lateAfterMs: () => number;
  /** Where each city is to look, as annotations; undefined when an address may have changed since it was made. */
  #peers: ReadonlyMap<string, string> | undefined;

  constructor(options: {
    readonly stores: Pick<HubStores, 'cityClusters' | 'cityReports' | 'leases'>;
    readonly clock: HubClock;
    readonly listener: CityListener;
    readonly lateAfterMs: () => number;
  }) {
    this.#stores = options.stores;
    this.#clock = options.clock;
    this.#listener = options.listener;
    this.#lateAfterMs = options.lateAfterMs;
  }

  /** Begins to listen; what is there already says nothing about now. The returned function ends it. */
  listen(): () => void {
    const { cityClusters, cityReports, leases } = this.#stores;
    for (const object of cityClusters.list()) this.#add(object);
    const ends = [
      cityClusters.subscribe(({ before, after, key }) => {
        if (!after) this.#remove(key.name);
        else if (before?.metadata.uid === after.metadata.uid) this.#update(after);
        else this.#add(after);
      }),
      cityReports.subscribe(({ after, key }) => this.#report(key.namespace, key.name, after)),
      leases.subscribe(({ before, after, key }) => this.#beat(key.namespace, key.name, before, after)),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  get names(): string[] {
    return [...this.#cities.keys()];
  }

  has(city: string): boolean {
    return this.#cities.has(city);
  }

  object(city: string): CityCluster | undefined {
    return this.#cities.get(city)?.object;
  }

  report(city: string): CityReportBody | undefined {
    return this.#cities.get(city)?.report;
  }

  claimOf(city: string, key: string): ClaimStatus | undefined {
    return this.#cities.get(city)?.report?.claims?.[key];
  }

  isTwoAgents(city: string): boolean {
    const { hearing } = this.#cities.get(city) ?? {};
    return hearing !== undefined && hasRival(hearing, this.#lateAfterMs());
  }

  /** Where the city is to look at others, as its heartbeat is told. */
  peersOf(city: string): string | undefined {
    this.#peers ??= this.#allPeers();
    return this.#peers.get(city);
  }

  /** Which cities have what address, all together: equal as long as nobody is to look elsewhere. */
  get peersPrint(): unknown {
    this.#peers ??= this.#allPeers();
    return this.#peers;
  }

  #allPeers(): Map<string, string> {
    const addresses = new Map<string, string>();
    for (const [name, { report }] of this.#cities) if (report?.address) addresses.set(name, report.address);
    return new Map([...peersOf(addresses, this.names)].map(([name, peers]) => [name, canonicalJson(peers)]));
  }

  /** Another cluster that wants the name of the city, and stands back. */
  contenderOf(city: string): string | undefined {
    const { hearing } = this.#cities.get(city) ?? {};
    return hearing && contenderOf(hearing, this.#lateAfterMs());
  }

  /** Also before this hub began, as far as that was written down. */
  lastHeardAtMs(city: string): number | undefined {
    const { hearing, object } = this.#cities.get(city) ?? {};
    if (hearing?.heardAtMs !== undefined) return hearing.heardAtMs;
    const written = Date.parse(object?.status?.lastHeardTime ?? hearing?.beat.renewTime ?? '');
    return Number.isNaN(written) ? undefined : written;
  }

  /** Of all cities; those of which nothing has changed are the same objects as before. */
  knowledge(): CityKnowledge[] {
    return [...this.#cities].map(([name, city]) => {
      city.knowledge ??= knowledgeOf(
        city.object,
        city.read,
        city.hearing,
        city.steadiness,
        this.isTwoAgents(name),
      );
      return city.knowledge;
    });
  }

  /** What a look has made of the comings and goings. @returns the cities of which that has changed */
  remember(steadiness: ReadonlyMap<string, Steadiness>): string[] {
    return [...steadiness].flatMap(([name, one]) => {
      const city = this.#cities.get(name);
      if (!city || city.steadiness === one) return [];
      city.steadiness = one;
      city.knowledge = undefined;
      return [name];
    });
  }

  #add(object: CityCluster): void {
    const { name } = object.metadata;
    const namespace = cityNamespace(name);
    const report = this.#stores.cityReports.get({
      cluster: '',
      namespace,
      name: CITY_OBJECTS.report,
    })?.report;
    const lease = this.#stores.leases.get({ cluster: '', namespace, name: CITY_OBJECTS.lease });
    this.#cities.set(name, {
      object,
      report,
      read: readReport(report, NO_REPORT),
      hearing: lease ? firstSeen(lease.beat) : NOTHING_HEARD,
      steadiness: stored(object, this.#clock.nowMs()),
      knowledge: undefined,
    });
    this.#peers = undefined;
    this.#listener.citiesChanged(name);
  }

  #remove(name: string): void {
    this.#cities.delete(name);
    this.#peers = undefined;
    this.#listener.citiesChanged(name);
  }

  #update(object: CityCluster): void {
    const { name } = object.metadata;
    const city = this.#cities.get(name);
    if (!city) {
      this.#add(object);
      return;
    }
    const isSameToUs =
      city.object.metadata.generation === object.metadata.generation &&
      JSON.stringify(city.object.metadata.labels) === JSON.stringify(object.metadata.labels);
    city.object = object;
    if (isSameToUs) return;
    city.knowledge = undefined;
    this.#listener.cityChanged(name);
  }

  #report(namespace: string, objectName: string, after: CityReport | undefined): void {
    const name = cityIn(namespace);
    const city = name === undefined ? undefined : this.#cities.get(name);
    if (!city || name === undefined || objectName !== CITY_OBJECTS.report) return;
    const report = after?.report;
    const services = differingClaims(city.report, report);
    if (city.report?.address !== report?.address) this.#peers = undefined;
    city.report = report;
    city.read = readReport(report, city.read);
    city.hearing = reported(city.hearing, report, this.#clock.nowMs());
    city.knowledge = undefined;
    if (services.size > 0) this.#listener.claimsChanged(name, services);
    this.#listener.cityChanged(name);
  }

  #beat(
    namespace: string,
    objectName: string,
    before: KeptLease | undefined,
    after: KeptLease | undefined,
  ): void {
    const name = cityIn(namespace);
    const city = name === undefined ? undefined : this.#cities.get(name);
    if (!city || name === undefined || objectName !== CITY_OBJECTS.lease || !after) return;
    const hearing = before
      ? heard(city.hearing, after.beat, city.report, this.#clock.nowMs())
      : // Made anew; what was heard before was heard.
        { ...city.hearing, beat: after.beat };
    if (hearing === city.hearing) return;
    city.hearing = hearing;
    city.knowledge = undefined;
    this.#listener.cityChanged(name);
  }
}

const PREFIX = cityNamespace('');

function cityIn(namespace: string): string | undefined {
  return namespace.startsWith(PREFIX) ? namespace.slice(PREFIX.length) : undefined;
}

/** What comes from the future would never be over. */
function stored({ status }: CityCluster, nowMs: number): Steadiness {
  if (!status?.steadiness) return ALWAYS_THERE;
  const { isAbsent, isSettling, losses, changedAtMs } = status.steadiness;
  return { isAbsent, isSettling, losses, changedAtMs: Math.min(changedAtMs, nowMs) };
}
