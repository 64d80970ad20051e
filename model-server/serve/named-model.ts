/** One name in requests: what is served under it, and the queue of its requests. */
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import type { Engine } from '../engine/engine.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { QueueRoom } from './admission.ts';
import { Batcher, type BatcherEvents, type Request } from './batcher.ts';
import { type HostedModel, ModelHost, type ModelHostOptions } from './model-host.ts';

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
}

export class NamedModel implements RequestQueue {
  readonly name: string;
  readonly host: ModelHost;
  readonly batcher: Batcher;
  #assignment: ModelAssignment | undefined;

  constructor(options: NamedModelOptions) {
    const { name, engine, events, clock } = options;
    this.name = name;
    this.host = new ModelHost(options);
    this.batcher = new Batcher(engine, () => this.host.serving, events, clock);
  }

  /** Whether requests that name no version are answered. */
  get isReady(): boolean {
    return this.host.isReady;
  }

  /** Requests that may wait for this name. */
  get capacity(): number {
    return this.host.serving.queueCapacity;
  }

  /** Requests that wait. */
  get queued(): number {
    return this.batcher.queued;
  }

  /** Takes a request for one of its models; see `Batcher.submit`. */
  submit(request: Request): () => void {
    return this.batcher.submit(request);
  }

  /** What is served from now on. */
  assign(assignment: ModelAssignment): void {
    this.#assignment = assignment;
    this.host.assign(assignment);
  }

  /** Loads what was assigned, afresh if it is served. @returns why that failed. */
  load(): Promise<string | undefined> {
    if (this.#assignment) this.host.assign(this.#assignment);
    return this.host.reload();
  }

  /** Waits until it is out of memory. */
  unload(): Promise<void> {
    return this.host.withdraw();
  }

  /** The model that a request means; see `findVersion`. */
  find(which: Which): HostedModel {
    return findVersion(this.name, this.host.current ? [this.host.current] : [], which, () =>
      this.host.whyNotServing(),
    );
  }
}

/**
 * The model that a request means.
 * @param served lowest version first.
 * @throws ProtocolError NotFound for a version or label that there is not, Unavailable while nothing is served.
 */
export function findVersion(
  name: string,
  served: readonly HostedModel[],
  { version, label }: Which,
  whyNotServing: () => string,
): HostedModel {
  const newest = served.at(-1);
  if (!newest) {
    const sentence = `Model with name ${name} is not ready: ${whyNotServing()}`;
    throw new ProtocolError('Unavailable', '', sentence);
  }
  if (label !== undefined) throw missing(`${name} has no label "${label.slice(0, 100)}"`);
  if (version === undefined) return newest;
  const found = served.find((model) => versionOf(model) === version);
  if (found) return found;
  const there = served.map(versionOf).join(', ');
  throw missing(`Specific(${name}, ${version.slice(0, 100)}); version ${there} is served`);
}

function missing(what: string): ProtocolError {
  return new ProtocolError('NotFound', '', `Servable not found for request: ${what}`);
}

/** A model at an address without version directories is version 1: both protocols want a number. */
export function versionOf({ version }: Pick<HostedModel, 'version'>): string {
  return String(version ?? 1);
}
