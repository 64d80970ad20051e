/** One name in requests: what is served under it, and the queue of its requests. */
import type { Serving } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import type { Engine } from '../engine/engine.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { QueueRoom } from './admission.ts';
import { Batcher, type BatcherEvents, type Request } from './batcher.ts';
import type { ModelEntry } from './host-words.ts';
import type { HostedModel } from './hosted-model.ts';
import { ModelHost, type ModelHostOptions } from './model-host.ts';
import type { VersionPolicy } from './version-policy.ts';
import { VersionSet } from './version-set.ts';

/** Which version a request names; neither: the newest that is served. */
export interface Which {
  readonly version?: string | undefined;
  readonly label?: string | undefined;
}

/** Where requests wait for a model. */
export interface RequestQueue extends QueueRoom {
  /** Takes a request; see `Batcher.submit`. */
  submit(request: Request): () => void;
}

export interface NamedModelOptions extends ModelHostOptions {
  engine: Engine;
  events: BatcherEvents;
  /** Which versions are served; absent: the one that is assigned, or the highest at the address. */
  policy?: VersionPolicy;
  /** Names for versions, such as `stable`. */
  labels?: ReadonlyMap<string, number>;
}

export class NamedModel implements RequestQueue {
  readonly name: string;
  readonly #labels: ReadonlyMap<string, number>;
  readonly #versions: ModelHost | VersionSet;
  readonly #batcher: Batcher;
  #serving: Serving;
  readonly #listeners: (() => void)[] = [];
  #assignment: ModelAssignment | undefined;

  constructor(options: NamedModelOptions) {
    const { name, engine, events, clock, policy, labels } = options;
    this.name = name;
    this.#labels = labels ?? new Map();
    this.#serving = options.serving;
    this.#versions = policy
      ? new VersionSet({
          ...{ ...options, policy },
          hostFor: (number) =>
            new ModelHost({ ...options, serving: this.#serving, idPrefix: `${name}/${number}` }),
        })
      : new ModelHost(options);
    this.#versions.onChange(() => {
      for (const changed of this.#listeners) changed();
    });
    this.#batcher = new Batcher(engine, () => this.#serving, events, clock);
  }

  /** Whether requests that name no version are answered. */
  get isReady(): boolean {
    return this.#hosts().some(({ isReady }) => isReady);
  }

  /** Whether nothing is served yet and nothing has gone wrong. */
  get isStarting(): boolean {
    if (this.#versions instanceof ModelHost) return this.#versions.isStarting;
    const { hosts, failure } = this.#versions;
    return failure === undefined && hosts.every(({ isStarting }) => isStarting);
  }

  get serving(): Serving {
    return this.#serving;
  }

  get batcher(): Batcher {
    return this.#batcher;
  }

  /** What is served, lowest version first. */
  get served(): HostedModel[] {
    return this.#hosts().flatMap(({ current }) => current ?? []);
  }

  /** Digests of what the cache should keep. */
  get digests(): string[] {
    return this.#hosts().flatMap(({ digests }) => digests);
  }

  /** Requests that may wait for this name. */
  get capacity(): number {
    return this.#serving.queueCapacity;
  }

  /** Requests that wait. */
  get queued(): number {
    return this.#batcher.queued;
  }

  /** How long the engine needs for what waits. */
  get backlogMilliseconds(): number {
    return this.#batcher.backlogMilliseconds;
  }

  get maxBacklogMilliseconds(): number {
    return this.#serving.maxBacklogMilliseconds;
  }

  submit(request: Request): () => void {
    return this.#batcher.submit(request);
  }

  /** What is served from now on. */
  assign(assignment: ModelAssignment): void {
    this.#assignment = assignment;
    this.#serving = assignment.serving;
    void this.#versions.assign(assignment);
  }

  /** Loads what was assigned, one version afresh if it is served. @returns why that failed. */
  async load(): Promise<string | undefined> {
    const assignment = this.#assignment;
    if (!assignment) return 'no model has been assigned yet';
    return this.#versions.load(assignment);
  }

  /** Loads what is served afresh, one version after the other, each beside the old one. @returns why that failed. */
  async refresh(): Promise<string | undefined> {
    for (const host of this.#hosts().filter(({ current }) => current)) {
      const failure = await host.reload();
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** Waits until it is out of memory. */
  unload(): Promise<void> {
    return this.#versions.withdraw();
  }

  /** From now on nothing is loaded any more. */
  drain(): void {
    this.#versions.drain();
  }

  entries(): ModelEntry[] {
    const isSet = this.#versions instanceof VersionSet;
    const leaving = isSet ? (this.#versions as VersionSet).leaving : [];
    const entries = [...this.#hosts(), ...leaving].flatMap((host) => host.entries());
    return entries.length > 0
      ? entries
      : [{ name: this.name, state: 'UNAVAILABLE', reason: this.whyNotServing() }];
  }

  /** What a person reads when nothing is served. */
  whyNotServing(): string {
    if (this.#versions instanceof ModelHost) return this.#versions.whyNotServing();
    const { hosts, failure = 'it was unloaded by request, or is not looked for yet' } = this.#versions;
    const [newest] = hosts.reverse();
    return newest?.whyNotServing() ?? failure;
  }

  /** Of the newest version, for the load report. */
  report(): ReturnType<ModelHost['report']> {
    return this.#hosts().at(-1)?.report() ?? { state: 'Starting' };
  }

  /** Calls back when what is served or wanted, or a failure, has changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The model that a request means; see `findVersion`. */
  find({ version, label }: Which): HostedModel {
    const why = () => this.whyNotServing();
    // Nearly every request: the one version that there is.
    if (version === undefined && label === undefined && this.#versions instanceof ModelHost) {
      const { current } = this.#versions;
      if (current) return current;
    }
    if (label === undefined) return findVersion(this.name, this.served, version, why);
    const labelled = this.#labels.get(label);
    if (labelled !== undefined) return findVersion(this.name, this.served, String(labelled), why);
    const known = [...this.#labels.keys()].map((each) => `"${each}"`).join(', ') || 'none';
    throw missing(`${this.name} has no label "${label.slice(0, 100)}"; its labels: ${known}`);
  }

  #hosts(): ModelHost[] {
    return this.#versions instanceof VersionSet ? this.#versions.hosts : [this.#versions];
  }
}

/**
 * The model that a request means.
 * @param served lowest version first.
 * @param version absent: the newest.
 * @throws ProtocolError NotFound for a version that there is not, Unavailable while nothing is served.
 */
export function findVersion(
  name: string,
  served: readonly HostedModel[],
  version: string | undefined,
  whyNotServing: () => string,
): HostedModel {
  const newest = served.at(-1);
  if (!newest) {
    const sentence = `Model with name ${name} is not ready: ${whyNotServing()}`;
    throw new ProtocolError('Unavailable', '', sentence);
  }
  if (version === undefined) return newest;
  const found = served.find((model) => versionOf(model) === version);
  if (found) return found;
  const there = served.map(versionOf).join(', ');
  throw missing(
    `Specific(${name}, ${version.slice(0, 100)}); ${served.length > 1 ? `versions ${there} are` : `version ${there} is`} served`,
  );
}

function missing(what: string): ProtocolError {
  return new ProtocolError('NotFound', '', `Servable not found for request: ${what}`);
}

/** A model at an address without version directories is version 1: both protocols want a number. */
export function versionOf({ version }: Pick<HostedModel, 'version'>): string {
  return String(version ?? 1);
}
