/**
 * Keeps the HTTPRoutes that services ask for (spec.placement.route) and what they lead to. It follows `status.endpoints`:
 * what is published is what is routed. Backends come first, then the route that leads to them, and only when that is
 * written goes what it led to before, so that at no moment a Gateway is sent where nothing is.
 */
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import { ROUTE_HOST_ANNOTATION, type Route } from '../../../crds/route.ts';
import type { LiveObject } from '../../plan/cluster-objects.ts';
import type { Verdict } from '../../plan/conditions/verdict.ts';
import { backendObjects, httpRoute, importRoute, nowhere } from '../../plan/hub/route-objects.ts';
import { routeSteps, staleSteps } from '../../plan/hub/route-steps.ts';
import { type LiveRoute, routedVerdict } from '../../plan/hub/routed.ts';
import {
  NO_ROUTING,
  namesToResolve,
  type RoutingSources,
  routingOf,
  servingCities,
} from '../../plan/hub/routing.ts';
import { afterOutcome } from '../../plan/next-look.ts';
import type { DesiredObject, Outcome } from '../../plan/target.ts';
import { again, Controller, done, type ReconcileResult } from '../../runtime/controller.ts';
import { type Key, keyOf } from '../../runtime/key.ts';
import type { Store } from '../../runtime/store.ts';
import { apply } from '../apply.ts';
import { HostAddresses, LOOK_AGAIN_SECONDS, type Resolve } from './host-addresses.ts';
import { RouteCopies, type RouteCopyTools } from './route-copies.ts';

export interface RouteTools extends RouteCopyTools {
  readonly modelServices: Store<ModelService>;
  readonly cityClusters: Store<CityCluster>;
  readonly resolve?: Resolve;
}

/** Only the leader runs it. */
export class Routes {
  readonly controller: Controller;
  readonly #tools: RouteTools;
  readonly #hosts: HostAddresses;
  readonly #copies: RouteCopies;
  /** By the UID of the service. */
  readonly #verdicts = new Map<string, Verdict>();
  readonly #listeners = new Set<(key: Key) => void>();

  constructor(tools: RouteTools) {
    this.#tools = tools;
    this.#hosts = new HostAddresses(tools);
    this.#copies = new RouteCopies(tools, {
      objectChanged: (key) => this.controller.enqueue(key),
      kindChanged: () => this.#enqueueAll(),
    });
    this.controller = new Controller({
      ...tools,
      name: 'hub-routes',
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
  }

  /** The condition `Routed` of a service that asks for a route; undefined while it has not been looked at. */
  verdictOf({ metadata }: ModelService): Verdict | undefined {
    return this.#verdicts.get(metadata.uid);
  }

  /** Calls back when the verdict on a service is another one. Returns the function that ends it. */
  onChange(listener: (key: Key) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { modelServices, cityClusters } = this.#tools;
    const ends = [
      modelServices.subscribe(({ key, before, after }) => {
        if (before && before.metadata.uid !== after?.metadata.uid) this.#verdicts.delete(before.metadata.uid);
        if ([before, after].some((service) => service?.spec.placement?.route)) this.controller.enqueue(key);
      }),
      cityClusters.subscribe(({ before, after }) => {
        const [was, is] = [before, after].map((city) => JSON.stringify(city?.spec.addressRanges));
        if (was !== is) this.#enqueueAll();
      }),
    ];
    await this.#copies.run(signal, async () => {
      this.#enqueueAll();
      await this.controller.run(signal);
    });
    for (const end of ends) end();
  }

  async #reconcile(key: Key, signal: AbortSignal): Promise<ReconcileResult> {
    const service = this.#tools.modelServices.get(key);
    // What belongs to a service that is being deleted is the garbage collector's.
    if (!service || service.metadata.deletionTimestamp !== undefined) return done;
    const route = service.spec.placement?.route;
    const live = this.#copies.of(service);
    if (!route || this.#copies.routes === 'Missing') {
      this.#say(key, service, route && routedVerdict(service, { kind: 'NoAPI' }));
      const removed = await apply(staleSteps(service, [], live), this.#tools.client, signal);
      return nextLook(removed);
    }
    // Not known yet, or not looked at yet by this hub or any other.
    if (this.#copies.routes === 'Unknown' || !service.status?.placement) return done;
    return await this.#route(key, service, route, live, signal);
  }

  async #route(
    key: Key,
    service: ModelService,
    route: Route,
    live: readonly LiveObject[],
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { client } = this.#tools;
    const endpoints = service.status?.endpoints ?? [];
    const write = (objects: readonly DesiredObject[]) =>
      apply(
        objects.flatMap((object) => routeSteps(object, service, live)),
        client,
        signal,
      );

    const isImport = route.backends === 'ServiceImport';
    const sources = this.#sources(live);
    const names = isImport ? [] : namesToResolve(endpoints, sources);
    await this.#hosts.look(names);
    const { backends, leftOut } = isImport ? NO_ROUTING : routingOf(endpoints, sources);
    const imported = isImport ? servingCities(service.status) : [];
    const wanted = backendObjects(service, backends);
    const outcomes = await write(wanted);
    const there = backends.filter((backend) => isThere(backendObjects(service, [backend]), live, outcomes));
    if (there.length + imported.length === 0) {
      const none = nowhere(service);
      wanted.push(...none);
      outcomes.push(...(await write(none)));
    }
    const target = isImport
      ? importRoute(service, route, imported.length > 0)
      : httpRoute(service, route, there);
    const last = await write([target]);
    if (last.every(({ kind }) => kind === 'done')) {
      outcomes.push(...(await apply(staleSteps(service, [...wanted, target], live), client, signal)));
    }
    outcomes.push(...last);
    const found = live.find(({ kind }) => kind === 'HTTPRoute') as LiveRoute | undefined;
    const cities = isImport ? imported : there.map(({ city }) => city);
    const state = { kind: 'Known', cities, leftOut, outcomes, ...(found ? { live: found } : {}) } as const;
    this.#say(key, service, routedVerdict(service, state));
    return nextLook(outcomes, names.length > 0 ? LOOK_AGAIN_SECONDS : undefined);
  }

  #say(key: Key, { metadata }: ModelService, verdict: Verdict | undefined): void {
    const before = this.#verdicts.get(metadata.uid);
    if (JSON.stringify(before) === JSON.stringify(verdict)) return;
    if (verdict) this.#verdicts.set(metadata.uid, verdict);
    else this.#verdicts.delete(metadata.uid);
    for (const listener of this.#listeners) listener(key);
  }

  #sources(live: readonly LiveObject[]): RoutingSources {
    const { cityClusters } = this.#tools;
    return {
      rangesOf: (name) => cityClusters.get({ cluster: '', namespace: '', name })?.spec.addressRanges,
      // A new leader that cannot resolve a name goes on with what the one before it has found.
      addressesOf: (name) => this.#hosts.of(name) ?? addressesIn(live, name),
    };
  }

  #enqueueAll(): void {
    const { modelServices } = this.#tools;
    for (const service of modelServices.list()) {
      const isConcerned = service.spec.placement?.route || this.#copies.of(service).length > 0;
      if (isConcerned) this.controller.enqueue(keyOf(service, modelServices.cluster));
    }
  }
}

/** A backend that could not be made must not be in the route: a Gateway would answer its part of the requests 500. */
function isThere(
  objects: readonly DesiredObject[],
  live: readonly LiveObject[],
  outcomes: readonly Outcome[],
): boolean {
  return objects.every(({ kind, metadata: { name } }) => {
    const isIt = (object: LiveObject) => object.kind === kind && object.metadata.name === name;
    return (
      live.some(isIt) ||
      outcomes.some((outcome) => {
        const { kind: what, step } = outcome;
        return what === 'done' && step.action === 'apply' && isIt(step.object);
      })
    );
  });
}

function addressesIn(live: readonly LiveObject[], host: string): string[] {
  return live
    .filter(({ metadata }) => metadata.annotations?.[ROUTE_HOST_ANNOTATION] === host)
    .flatMap((slice) => (slice as LiveSlice).endpoints ?? [])
    .flatMap(({ addresses }) => addresses);
}

interface LiveSlice extends LiveObject {
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
}

function nextLook(outcomes: readonly Outcome[], otherwise?: number): ReconcileResult {
  const looks = [
    ...outcomes.flatMap(afterOutcome),
    ...(otherwise === undefined ? [] : [{ afterSeconds: otherwise, reason: 'names may have moved' }]),
  ];
  const [first] = looks.sort((a, b) => a.afterSeconds - b.afterSeconds);
  return first ? again(first.afterSeconds, first.reason) : done;
}
