/**
 * Keeps the certificates in one Secret: every replica reads them, the leader makes and renews them. Two leaders at
 * once, or two fresh installations, end with the certificates of one: writes carry the version that was read.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { issueServing, makeAuthority } from './issue.ts';
import { bundleOf, readMaterial, secretDataOf, type TlsMaterial } from './material.ts';
import { type RenewalDecision, renewalDecision } from './renewal.ts';

interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** What a TLS server serves with, and what its clients must trust. */
export interface ServingIdentity {
  readonly certificatePem: string;
  /** Never to be logged. */
  readonly privateKeyPem: string;
  /** For the pods' ConfigMaps and the APIService's `caBundle`. */
  readonly caBundlePem: string;
}

export interface CertificateKeeperOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
  readonly secretName: string;
  /** DNS names that clients use, from `serviceNames()`. */
  readonly names: readonly string[];
  /** Labels of the Secret when it is made. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly events?: EventRecorder;
}

/** The Secret is read this often, to follow what another replica or a person did to it. */
const LOOK_EVERY_SECONDS = 60;
/** The first start waits for nobody; a follower waits for the leader to make the certificates. */
const LOOK_AGAIN_SOON_SECONDS = 2;
/** Each pass does one step; the steps of one look are few, and a bound turns a fault into a log line. */
const MAX_STEPS = 6;

export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  readonly #log: Logger;
  readonly #listeners = new Set<(identity: ServingIdentity) => void>();
  #current: ServingIdentity | undefined;
  #fingerprint = '';
  #problem = '';

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#log = options.log.child({ secret: `${options.namespace}/${options.secretName}` });
  }

  /** The newest usable certificates; absent until the leader has made some. They outlive a Secret that is spoilt. */
  get current(): ServingIdentity | undefined {
    return this.#current;
  }

  /** Calls back at once when there are certificates, and after every change. Returns the function that ends it. */
  onChange(listener: (identity: ServingIdentity) => void): () => void {
    this.#listeners.add(listener);
    if (this.#current) listener(this.#current);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Looks again and again until `signal` aborts; never throws.
   *
   * @param leads whether this replica may write, asked before each look
   */
  async run(signal: AbortSignal, leads: () => boolean): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      let seconds = LOOK_EVERY_SECONDS;
      try {
        await this.look(leads(), signal);
        if (!this.#current) seconds = LOOK_AGAIN_SOON_SECONDS;
      } catch (err) {
        seconds = LOOK_AGAIN_SOON_SECONDS;
        if (!signal.aborted) this.#log.warn({ err }, 'certificates could not be looked after, trying again');
      }
      await clock.sleep(seconds, signal);
    }
  }

  /**
   * Reads the Secret and, when `leads`, does all that is due: makes, renews, repairs it.
   *
   * @throws KubeError when the API server cannot be asked
   */
  async look(leads: boolean, signal?: AbortSignal): Promise<void> {
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const secret = await this.#read(signal);
      const read = secret && readMaterial(secret.data);
      if (read?.ok) this.#publish(read.material);
      if (secret && read && !read.ok) this.#complain(secret, read.problem);
      const now = this.#options.clock.now();
      const decision: RenewalDecision = read?.ok
        ? renewalDecision(now, read.facts, this.#options.names)
        : { do: 'remakeAll', reason: secret ? 'the Secret is unusable' : 'there is no Secret yet' };
      if (decision.do === 'keep' || !leads) return;
      const material = await this.#carryOut(decision.do, read?.ok ? read.material : undefined, now);
      await this.#write(secret, material, decision.reason, signal);
    }
    throw new Error(`the certificates are still not in order after ${MAX_STEPS} steps`);
  }

  async #carryOut(
    step: Exclude<RenewalDecision['do'], 'keep'>,
    old: TlsMaterial | undefined,
    now: Date,
  ): Promise<TlsMaterial> {
    const { names } = this.#options;
    if (!old || step === 'remakeAll') {
      const authority = await makeAuthority(now);
      return { authority, formerPem: [], serving: await issueServing(authority, names, now) };
    }
    switch (step) {
      case 'rollAuthority':
        return {
          ...old,
          authority: await makeAuthority(now),
          formerPem: [old.authority.certificatePem, ...old.formerPem],
        };
      case 'renewServing':
        return { ...old, serving: await issueServing(old.authority, names, now) };
      case 'dropFormer':
        return { ...old, formerPem: [] };
    }
  }

  async #read(signal: AbortSignal | undefined): Promise<Secret | undefined> {
    const { client, namespace, secretName } = this.#options;
    try {
      return await client.get<Secret>(resources.Secret, { namespace, name: secretName }, { signal });
    } catch (error) {
      if (isKubeError(error, 'notFound')) return undefined;
      throw error;
    }
  }

  /** A conflict means that somebody else was faster: the next step reads what they wrote. */
  async #write(
    old: Secret | undefined,
    material: TlsMaterial,
    reason: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { client, namespace, secretName, labels = {} } = this.#options;
    const metadata = old
      ? { ...old.metadata, labels: { ...old.metadata.labels, ...labels } }
      : { name: secretName, namespace, labels };
    const type = old?.type ?? 'kubernetes.io/tls';
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type, data: secretDataOf(material) };
    try {
      if (old) await client.replace(resources.Secret, secret, { signal });
      else await client.create(resources.Secret, secret, { signal });
      this.#log.info({ reason }, 'certificates written');
    } catch (error) {
      if (!isKubeError(error, 'conflict') && !isKubeError(error, 'notFound')) throw error;
      this.#log.info({ reason }, 'another replica wrote the certificates first');
    }
  }

  #publish(material: TlsMaterial): void {
    this.#problem = '';
    const identity: ServingIdentity = {
      certificatePem: material.serving.certificatePem,
      privateKeyPem: material.serving.privateKeyPem,
      caBundlePem: bundleOf(material),
    };
    const fingerprint = createHash('sha256').update(JSON.stringify(identity)).digest('hex');
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#current = identity;
    for (const listener of this.#listeners) listener(identity);
  }

  /** Said once per problem, not once per look. */
  #complain(secret: Secret, problem: string): void {
    if (this.#problem === problem) return;
    this.#problem = problem;
    this.#log.error({ problem }, 'the certificates are unusable and will be made anew');
    this.#options.events?.record(secret, {
      type: 'Warning',
      reason: 'CertificatesUnusable',
      action: 'RenewCertificates',
      note: `The certificates in Secret ${this.#options.secretName} are made anew: ${problem}.`,
    });
  }
}
