/** Everything that a hub does: copies, looks, storing, and what it tells of its cities. */
import type { ModelService } from '../../../crds/model-service.ts';
import { notesFor } from '../../plan/event-notes.ts';
import type { RegionOutcome } from '../../plan/failover/region.ts';
import type { CitySight } from '../../plan/failover/sights.ts';
import type { CityHolding } from '../../plan/hub/city-status.ts';
import { holdingsOf, unknownServices } from '../../plan/hub/holdings.ts';
import { decisionNotes } from '../../plan/hub/notes.ts';
import { summarisePlaced } from '../../plan/hub/summary.ts';
import { Controller } from '../../runtime/controller.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import { parseKey } from '../../runtime/key.ts';
import type { Store } from '../../runtime/store.ts';
import { type Copies, copiesIn } from '../copies.ts';
import type { ReflectorTools } from '../stores.ts';
import { Cities } from './cities.ts';
import { cityClusterReconcile } from './city-clusters.ts';
import { HubClock } from './hub-clock.ts';
import type { JoiningTrouble } from './joining.ts';
import { Looking } from './looking.ts';
import type { Routes } from './routes.ts';
import { Services } from './services.ts';
import { createHubReflectors, createHubStores, type HubStores } from './stores.ts';
import { Storing } from './storing.ts';

export type HubCopies = Copies<HubStores>;

/** Every replica of the operator keeps them, so that the next leader starts at once. */
export function hubCopies(tools: ReflectorTools): HubCopies {
  const stores = createHubStores(tools.log);
  return copiesIn(stores, createHubReflectors(stores, tools));
}

export interface HubTools extends ReflectorTools {
  readonly events: EventRecorder;
  readonly stores: HubStores;
  readonly modelServices: Store<ModelService>;
  /** Why a city cannot dial in; absent where somebody else makes what cities need. */
  readonly joining?: {
    trouble(city: string): JoiningTrouble | undefined;
    onChange(listener: (city: string) => void): () => void;
  };
  /** What has become of the routes that services ask for. */
  readonly routes?: Pick<Routes, 'verdictOf' | 'onChange'>;
}

/** Only the leader runs it. What it has heard it has heard itself: a new leader listens before it decides. */
export class Hub {
  readonly controllers: readonly Controller[];
  readonly #tools: HubTools;
  readonly #clock: HubClock;
  readonly #cities: Cities;
  readonly #services: Services;
  readonly #looking: Looking;
  readonly #stored: Storing;
  readonly #storing: Controller;
  readonly #cityClusters: Controller;
  /** Services of which a city says something else, until the next look. */
  readonly #dirty = new Set<string>();
  #isFirstLook = true;
  #holdings: Map<string, Omit<CityHolding, 'unknown'>> | undefined;
  /** What all cities were told together. */
  #told: { readonly heartbeatMs: number; readonly peersPrint: unknown } | undefined;

  constructor(tools: HubTools) {
    const { stores, modelServices, clock, joining } = tools;
    const hubClock = new HubClock(clock);
    this.#clock = hubClock;
    this.#tools = tools;
    this.#cities = new Cities({
      stores,
      clock: hubClock,
      lateAfterMs: () => this.#looking.expected.lateAfterMs,
      listener: {
        cityChanged: (city) => {
          this.#looking.soon();
          this.#tellOf(city);
        },
        citiesChanged: (city) => {
          this.#looking.touchAll();
          this.#tellOf(city);
        },
        claimsChanged: (_, services) => {
          for (const key of services) this.#dirty.add(key);
        },
      },
    });
    this.#services = new Services({
      modelServices,
      shares: stores.shares,
      clock: hubClock,
      listener: {
        serviceTouched: (key) => {
          this.#dirty.add(key);
          this.#looking.touch(key);
        },
        objectsChanged: (key, object) => {
          if (!this.#stored.isEcho(key, object)) this.#storing.enqueue(parseKey(key));
        },
      },
    });
    this.#looking = new Looking({
      ...tools,
      hubClock,
      cities: this.#cities,
      services: this.#services,
      onLook: (outcome, before) => this.#onLook(outcome, before),
      onGlance: () => this.#pass(new Set(this.#dirty), new Set()),
    });
    this.#stored = this.#storingOf(tools);
    this.#storing = new Controller({
      ...tools,
      name: 'hub-storing',
      parallelism: 32,
      reconcile: this.#stored.reconcile,
    });
    this.#cityClusters = new Controller({
      ...tools,
      name: 'city-cluster',
      reconcile: cityClusterReconcile({
        ...tools,
        cities: this.#cities,
        leases: stores.leases,
        sightOf: (city) => this.#looking.sights.get(city),
        holdingOf: (city) => this.#holdingOf(city),
        troubleOf: (city) => joining?.trouble(city),
        heartbeatSeconds: () => this.#looking.told.heartbeatMs / 1000,
      }),
    });
    this.controllers = [this.#storing, this.#cityClusters];
  }

  /** Looks and stores until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { joining, routes, stores } = this.#tools;
    this.#clock.begin();
    const ends = [
      this.#cities.listen(),
      this.#services.listen(),
      stores.cityClusters.subscribe(({ key }) => this.#tellOf(key.name)),
      stores.leases.subscribe(({ before, key }) => before ?? this.#tellOf(cityOf(key.namespace))),
      ...(joining ? [joining.onChange((city) => this.#tellOf(city))] : []),
      ...(routes ? [routes.onChange((key) => this.#storing.enqueue(key))] : []),
    ];
    await Promise.all([this.#looking.run(signal), this.#storing.run(signal), this.#cityClusters.run(signal)]);
    for (const end of ends) end();
  }

  #storingOf(tools: HubTools): Storing {
    const { events, stores, clock, routes } = tools;
    return new Storing({
      ...tools,
      services: this.#services,
      cities: this.#cities,
      shares: stores.shares,
      summarise: (service, record, refusals) => {
        const intent = this.#services.intent(record.key);
        if (this.#isFirstLook || !intent) return undefined;
        return summarisePlaced(service, intent, record, {
          sights: this.#looking.sights,
          refusals,
          routed: routes?.verdictOf(service),
          now: `${clock.now().toISOString().slice(0, 19)}Z`,
          claimOf: (city, key) => this.#cities.claimOf(city, key),
          isTwoAgents: (city) => this.#cities.isTwoAgents(city),
          lastHeardAtMs: (city) => this.#cities.lastHeardAtMs(city),
        });
      },
      onWritten: (service, status) => {
        for (const note of [...notesFor(service.status, status), ...decisionNotes(service.status, status)]) {
          // What a new service begins with is no news as long as nothing is wrong.
          if (!service.status && note.type === 'Normal') continue;
          events.record({ ...service, kind: 'ModelService' }, { ...note, action: 'Place' });
        }
      },
    });
  }

  #onLook({ records, steadiness, sights }: RegionOutcome, before: ReadonlyMap<string, CitySight>): void {
    const concerned = new Set([...records.keys(), ...this.#dirty]);
    const cities = new Set(this.#cities.remember(steadiness));
    if (records.size > 0) this.#holdings = undefined;
    for (const record of records.values()) for (const city of record.shares.keys()) cities.add(city);
    const turned = [...sights].filter(([city, sight]) => faceOf(sight) !== faceOf(before.get(city)));
    for (const [city] of turned) cities.add(city);
    if (turned.length > 0) this.#addServicesOf(new Set(turned.map(([city]) => city)), concerned);
    // What the hub before could not finish is finished.
    if (this.#isFirstLook) for (const key of this.#services.keys()) concerned.add(key);
    this.#isFirstLook = false;
    this.#pass(concerned, cities);
  }

  /** Passes on what is to be stored and told, and tells all cities when where to look or how often to beat has changed. */
  #pass(services: ReadonlySet<string>, cities: Set<string>): void {
    this.#dirty.clear();
    const { heartbeatMs } = this.#looking.told;
    const { peersPrint } = this.#cities;
    const before = this.#told;
    if (before?.peersPrint !== peersPrint || before?.heartbeatMs !== heartbeatMs) {
      for (const city of this.#cities.names) cities.add(city);
    }
    this.#told = { heartbeatMs, peersPrint };
    for (const key of services) this.#storing.enqueue(parseKey(key));
    for (const city of cities) this.#tellOf(city);
  }

  #addServicesOf(cities: ReadonlySet<string>, keys: Set<string>): void {
    for (const key of this.#services.keys()) {
      for (const city of this.#services.record(key)?.shares.keys() ?? []) if (cities.has(city)) keys.add(key);
    }
  }

  #holdingOf(city: string): CityHolding {
    this.#holdings ??= holdingsOf(
      [...this.#services.keys()]
        .map((key) => this.#services.record(key))
        .filter((record) => record !== undefined),
    );
    const holding = this.#holdings.get(city) ?? {
      services: 0,
      guaranteed: 0,
      stuck: [],
      phases: new Set<never>(),
    };
    const claims = this.#looking.sights.get(city)?.city.claims ?? new Map();
    return { ...holding, unknown: unknownServices(claims, (key) => this.#services.has(key)) };
  }

  #tellOf(city: string): void {
    this.#cityClusters.enqueue({ cluster: '', namespace: '', name: city });
  }
}

/** What of a city the statuses of its services show. */
function faceOf(sight: CitySight | undefined): string {
  if (!sight) return '';
  return sight.isLate ? `late ${sight.vantage().sees}` : 'heard';
}

function cityOf(namespace: string): string {
  return namespace.replace(/^aicity-city-/, '');
}
