/**
 * Several versions of one model side by side, each with a host of its own: finds out which are at the address, loads
 * those that the policy wants, and unloads the others once their place is taken.
 */
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import type { ModelHost, ModelHostOptions } from './model-host.ts';
import { leavingVersions, needsListing, type VersionPolicy, wantedVersions } from './version-policy.ts';

export interface VersionSetOptions extends Pick<ModelHostOptions, 'repository' | 'clock' | 'log'> {
  policy: VersionPolicy;
  /** A host for one version; `number` tells it from all others that there were. */
  hostFor(number: number): ModelHost;
}

/** Seconds between looks at a volume, and at a store that bills every listing. */
const LOOK_SECONDS = 5;
const REMOTE_LOOK_SECONDS = 30;

export class VersionSet {
  readonly #options: VersionSetOptions;
  readonly #hosts = new Map<number, ModelHost>();
  /** New versions and what their files looked like: one that is still being written is left alone. */
  readonly #settling = new Map<number, string | undefined>();
  /** Not wanted any more, until the last request that uses them is answered. */
  readonly #leaving = new Set<ModelHost>();
  #assignment: ModelAssignment | undefined;
  #wanted: ReadonlySet<number> = new Set();
  /** Why it is not known what is at the address. */
  #failure: string | undefined;
  #hosted = 0;
  #changed = () => {};
  #cancelLook = () => {};
  #looking: Promise<void> = Promise.resolve();

  constructor(options: VersionSetOptions) {
    this.#options = options;
  }

  /** Lowest version first. */
  get hosts(): ModelHost[] {
    return [...this.#hosts].sort(([a], [b]) => a - b).map(([, host]) => host);
  }

  /** Hosts of versions that are not wanted any more, and still in memory. */
  get leaving(): ModelHost[] {
    return [...this.#leaving];
  }

  /** Why there is no version at all, if so. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Calls back when a version is served or has failed, or when it is known that there is none. One listener. */
  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  /** Looks for versions at once, and from then on. */
  async assign(assignment: ModelAssignment): Promise<void> {
    this.#assignment = assignment;
    await this.#lookNow();
  }

  /** Looks again, loads what is not served, and waits for the end. @returns why something failed. */
  async load(assignment: ModelAssignment): Promise<string | undefined> {
    await this.assign(assignment);
    const outcomes = await Promise.all(this.hosts.map((host) => (host.isReady ? undefined : host.reload())));
    return outcomes.find((failure) => failure !== undefined) ?? this.#failure;
  }

  /** Serves nothing until something is assigned; waits until all are out of memory. */
  async withdraw(): Promise<void> {
    this.#stopLooking();
    await Promise.all([...this.#hosts.keys()].map((version) => this.#close(version)));
  }

  drain(): void {
    this.#stopLooking();
    for (const host of this.#hosts.values()) host.drain();
  }

  #stopLooking(): void {
    this.#assignment = undefined;
    this.#settling.clear();
    this.#cancelLook();
  }

  /** One look at a time, whoever asks. */
  #lookNow(): Promise<void> {
    this.#cancelLook();
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const assignment = this.#assignment;
    if (!assignment) return;
    const { uri } = assignment.model;
    try {
      await this.#update(assignment);
      this.#failure =
        this.#hosts.size === 0 ? `there is no version directory that is wanted at ${uri}` : undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) this.#options.log.warn({ uri, reason: message }, 'versions not listed');
      this.#failure = message;
    }
    this.#changed();
    if (this.#assignment !== assignment) return;
    const seconds = /^(file|pvc):/.test(uri) ? LOOK_SECONDS : REMOTE_LOOK_SECONDS;
    this.#cancelLook = this.#options.clock.after(seconds, () => void this.#lookNow());
  }

  async #update(assignment: ModelAssignment): Promise<void> {
    const { policy, repository } = this.#options;
    const listed = needsListing(policy) ? await repository.versions(assignment.model) : [];
    const isFirst = this.#hosts.size === 0;
    const wanted = wantedVersions(policy, listed);
    this.#wanted = new Set(wanted);
    // The highest first: it is the one that most requests mean.
    for (const version of wanted.reverse()) {
      if (this.#hosts.has(version) || this.#assignment !== assignment) continue;
      if (isFirst || !needsListing(policy) || (await this.#isSettled(assignment, version))) {
        this.#begin(assignment, version);
      }
    }
    if (this.#assignment === assignment) this.#leave();
  }

  /** Whether two looks in a row have found the same files. */
  async #isSettled({ model }: ModelAssignment, version: number): Promise<boolean> {
    const look = await this.#options.repository.look({ ...model, version }).catch(() => undefined);
    const isSettled = look !== undefined && this.#settling.get(version) === look.stamp;
    if (isSettled) this.#settling.delete(version);
    else if (look) this.#settling.set(version, look.stamp);
    return isSettled;
  }

  #begin(assignment: ModelAssignment, version: number): void {
    const host = this.#options.hostFor(++this.#hosted);
    this.#hosts.set(version, host);
    // What has begun to serve may take the place of what is no longer wanted.
    host.onChange(() => {
      if (host.isReady) this.#leave();
      this.#changed();
    });
    host.assign({ ...assignment, model: { ...assignment.model, version } });
  }

  #leave(): void {
    const versions = [...this.#hosts].map(([version, { isReady }]) => ({ version, isReady }));
    for (const version of leavingVersions(this.#wanted, versions)) void this.#close(version);
  }

  async #close(version: number): Promise<void> {
    const host = this.#hosts.get(version);
    if (!host) return;
    this.#hosts.delete(version);
    this.#leaving.add(host);
    await host.close();
    this.#leaving.delete(host);
  }
}
