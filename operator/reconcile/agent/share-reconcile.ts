/** One look at one service of the hub: which grant is obeyed, and whether the city's ModelService is as it says. */
import type { Logger } from 'pino';
import type { ModelService } from '../../../crds/model-service.ts';
import { REGION_ANNOTATIONS, REGION_LABELS } from '../../../crds/region.ts';
import { isKubeError, type KubeClient } from '../../kube/client.ts';
import type { UntypedObject } from '../../kube/objects.ts';
import { resourcePath, resources } from '../../kube/resources.ts';
import type { Trouble } from '../../plan/agent/claims.ts';
import { mergePatch } from '../../plan/agent/merge-patch.ts';
import { grantOf, isFromHub, type MirroredService, mirrored } from '../../plan/agent/mirror.ts';
import { isWithdrawn, type Verdict, verdictOn } from '../../plan/agent/obedience.ts';
import { fingerprint } from '../../plan/canonical-json.ts';
import type { Grant } from '../../plan/failover/claim.ts';
import type { Clock } from '../../runtime/clock.ts';
import { again, done, type Reconcile, type ReconcileResult } from '../../runtime/controller.ts';
import { type Key, keyString } from '../../runtime/key.ts';
import type { Store } from '../../runtime/store.ts';
import type { Holding, Holdings } from './holdings.ts';
import { makeNamespace, namespaceTrouble } from './namespaces.ts';

export const AGENT_MANAGER = 'aicity-agent';

export interface ShareTools {
  /** Of the city. */
  readonly client: KubeClient;
  readonly modelServices: Store<ModelService>;
  readonly shares: { of(key: string): ModelService | undefined };
  readonly holdings: Holdings;
  readonly session: () => string;
  readonly clock: Pick<Clock, 'monotonicSeconds'>;
  /** False once another process may do this work. */
  readonly leads: () => boolean;
  /** The operator's own namespace. */
  readonly namespace: string;
  readonly log: Logger;
  readonly onVerdict: (key: string, verdict: Verdict, offered: Grant, session: string) => void;
}

/** What was applied last, so that an edit by hand is noticed: it raises the generation. */
interface Applied {
  readonly uid: string;
  readonly generation: number;
  readonly print: string;
}

export function shareReconcile(tools: ShareTools): Reconcile {
  const memory: Memory = { applied: new Map(), lingersUntil: new Map() };
  return (key, signal) => new ShareLook(key, tools, memory, signal).look();
}

interface Memory {
  readonly applied: Map<string, Applied>;
  /** By service, on the monotonic clock: when what was withdrawn is to end. */
  readonly lingersUntil: Map<string, number>;
}

/**
 * How long what was withdrawn goes on answering: the hub has taken it from the endpoints before it withdrew it, and
 * clients, gateways and name servers hear of that a little later.
 */
export const LINGER_SECONDS = 10;

/** The city cannot do it as things are; somebody may have mended it by then. */
const TROUBLE_AGAIN_SECONDS = 60;

class ShareLook {
  readonly #key: Key;
  readonly #id: string;
  readonly #tools: ShareTools;
  readonly #memory: Memory;
  readonly #signal: AbortSignal;

  constructor(key: Key, tools: ShareTools, memory: Memory, signal: AbortSignal) {
    this.#key = key;
    this.#id = keyString(key);
    this.#tools = tools;
    this.#memory = memory;
    this.#signal = signal;
  }

  async look(): Promise<ReconcileResult> {
    const { shares, holdings, session, leads, onVerdict } = this.#tools;
    const share = shares.of(this.#id);
    const offered = share && grantOf(share);
    const held = holdings.get(this.#id);
    const now = session();
    const verdict = verdictOn(held?.grant, offered, now);
    if (offered) onVerdict(this.#id, verdict, offered, now);
    const grant = verdict === 'Obey' ? offered : held?.grant;
    if (!grant || !leads()) return done;
    const local = this.#local();
    if (isWithdrawn(grant)) return await this.#withdraw(grant, local, held);
    // Nothing says what it should be: it stays as it is.
    if (!share) return done;
    if (local && !this.#isOurs(local, held)) return this.#cannot(grant, nameConflict(local));
    const trouble = namespaceTrouble(this.#key.namespace, this.#tools.namespace);
    if (trouble) return this.#cannot(grant, trouble);
    // It goes first; its disappearance brings the next look.
    if (local?.metadata.deletionTimestamp !== undefined) return done;
    return await this.#mirror(share, grant, local);
  }

  #local(): ModelService | undefined {
    return this.#tools.modelServices.get(this.#key);
  }

  #isOurs(local: ModelService, held: Holding | undefined): boolean {
    return isFromHub(local) || held?.uid === local.metadata.uid;
  }

  async #withdraw(
    grant: Grant,
    local: ModelService | undefined,
    held: Holding | undefined,
  ): Promise<ReconcileResult> {
    const { client, holdings, log } = this.#tools;
    if (local && this.#isOurs(local, held) && local.metadata.deletionTimestamp === undefined) {
      const { name, namespace, uid } = local.metadata;
      const seconds = this.#lingerSeconds();
      if (seconds > 0) {
        holdings.set(this.#id, { grant, uid });
        return again(seconds, 'clients are still on their way elsewhere');
      }
      try {
        await client.delete(resources.ModelService, { name, namespace }, { uid, signal: this.#signal });
        log.info({ key: this.#id, epoch: grant.epoch }, 'the hub has withdrawn the service; it is deleted');
      } catch (error) {
        if (!isKubeError(error, 'notFound')) throw error;
      }
    }
    this.#memory.applied.delete(this.#id);
    this.#memory.lingersUntil.delete(this.#id);
    holdings.set(this.#id, { grant });
    return done;
  }

  #lingerSeconds(): number {
    const { lingersUntil } = this.#memory;
    const now = this.#tools.clock.monotonicSeconds();
    const until = lingersUntil.get(this.#id) ?? now + LINGER_SECONDS;
    lingersUntil.set(this.#id, until);
    return until - now;
  }

  /** The grant is obeyed, in that nothing beyond it runs; what runs is told truthfully. */
  #cannot(grant: Grant, trouble: Trouble): ReconcileResult {
    this.#tools.holdings.set(this.#id, { grant, trouble });
    return again(TROUBLE_AGAIN_SECONDS, trouble.reason);
  }

  async #mirror(
    share: ModelService,
    grant: Grant,
    local: ModelService | undefined,
  ): Promise<ReconcileResult> {
    const { holdings, log } = this.#tools;
    this.#memory.lingersUntil.delete(this.#id);
    const desired = mirrored(share, this.#id, grant, local);
    const print = fingerprint(desired);
    if (local && this.#isAsApplied(local, desired, print)) {
      holdings.set(this.#id, { grant, uid: local.metadata.uid });
      return done;
    }
    try {
      const { metadata } = await this.#write(desired, local);
      const { uid, generation } = metadata;
      this.#memory.applied.set(this.#id, { uid, generation, print });
      holdings.set(this.#id, { grant, uid });
      log.info({ key: this.#id, grant }, 'the share of the hub is mirrored');
      return done;
    } catch (error) {
      const held = holdings.get(this.#id);
      if (isKubeError(error, 'notFound') && !local) {
        await makeNamespace(this.#key.namespace, this.#tools.client, this.#signal);
        // The grant is judged anew: time has passed.
        return again(0, 'the namespace was made');
      }
      if (isKubeError(error, 'terminal')) {
        log.error({ key: this.#id, err: error }, 'the share of the hub is refused by this cluster');
        const trouble: Trouble = {
          reason: 'InvalidSpec',
          message: `This cluster refuses the service: ${error.message}`,
        };
        if (!local) return this.#cannot(grant, trouble);
        holdings.set(this.#id, { ...held, trouble });
        return again(TROUBLE_AGAIN_SECONDS, trouble.reason);
      }
      // What was obeyed before is what holds; the hub is told why nothing more does.
      if (isKubeError(error, 'retry') && !this.#signal.aborted) {
        holdings.set(this.#id, {
          ...held,
          trouble: { reason: 'ApplyFailed', message: `The service cannot be written: ${error.message}` },
        });
      }
      throw error;
    }
  }

  #isAsApplied(local: ModelService, desired: MirroredService, print: string): boolean {
    const { uid, generation, labels, annotations } = local.metadata;
    const applied = this.#memory.applied.get(this.#id);
    return (
      applied?.uid === uid &&
      applied.generation === generation &&
      applied.print === print &&
      labels?.[REGION_LABELS.fromHub] === desired.metadata.labels[REGION_LABELS.fromHub] &&
      annotations?.[REGION_ANNOTATIONS.grant] === desired.metadata.annotations[REGION_ANNOTATIONS.grant]
    );
  }

  /**
   * Server-side apply, then without what others have added to the spec beside it. What is not there is created: an apply
   * would take over what somebody else has made and the copy does not show yet.
   */
  async #write(desired: MirroredService, local: ModelService | undefined): Promise<ModelService> {
    const { client } = this.#tools;
    const signal = this.#signal;
    const options = { fieldManager: AGENT_MANAGER, signal };
    if (!local) return await client.create<ModelService>(resources.ModelService, desired, options);
    const metadata = { ...desired.metadata, uid: local.metadata.uid };
    const object = { ...desired, metadata } as unknown as UntypedObject;
    const written = await client.apply<ModelService & UntypedObject>(resources.ModelService, object, {
      ...options,
      force: true,
    });
    const surplus = mergePatch(written.spec, desired.spec);
    if (surplus === undefined) return written;
    const { name, namespace, resourceVersion } = written.metadata;
    return await client.request<ModelService>({
      method: 'PATCH',
      path: resourcePath(resources.ModelService, { name, namespace }),
      query: { fieldManager: AGENT_MANAGER },
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion }, spec: surplus },
      signal,
    });
  }
}

function nameConflict({ metadata: { namespace, name } }: ModelService): Trouble {
  return {
    reason: 'NameConflict',
    message: `ModelService ${namespace}/${name} exists in the city and is not from the hub; rename one of the two, or delete the city's own`,
  };
}
