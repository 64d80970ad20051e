/**
 * What the agent remembers of each service while it runs: the grant that is obeyed, and what stands in its way. An agent
 * that is replaced finds the grants in the mirrored ModelServices.
 */
import type { ModelService } from '../../../crds/model-service.ts';
import type { Trouble } from '../../plan/agent/claims.ts';
import { foundGrant, isFromHub } from '../../plan/agent/mirror.ts';
import { isWithdrawn } from '../../plan/agent/obedience.ts';
import { canonicalJson } from '../../plan/canonical-json.ts';
import type { Grant } from '../../plan/failover/claim.ts';

export interface Holding {
  /** Undefined while nothing was obeyed. */
  readonly grant?: Grant;
  /** Of the mirrored ModelService. */
  readonly uid?: string;
  readonly trouble?: Trouble;
}

export class Holdings {
  readonly #all = new Map<string, Holding>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Takes over what an earlier agent has left; what it was deleting is not to come back. */
  find(services: readonly ModelService[]): void {
    for (const service of services) {
      const { namespace, name, uid, deletionTimestamp } = service.metadata;
      if (!isFromHub(service) || deletionTimestamp !== undefined) continue;
      this.#all.set(`${namespace}/${name}`, { grant: foundGrant(service), uid });
    }
  }

  get(key: string): Holding | undefined {
    return this.#all.get(key);
  }

  keys(): Iterable<string> {
    return this.#all.keys();
  }

  set(key: string, holding: Holding): void {
    const isSame = canonicalJson(this.#all.get(key)) === canonicalJson(holding);
    this.#all.set(key, holding);
    if (!isSame) this.#onChange();
  }

  /**
   * In a new session what was withdrawn need not be remembered: no grant of an earlier session is obeyed.
   *
   * @param isGone whether nothing is left to delete
   */
  forgetWithdrawn(isGone: (key: string) => boolean): void {
    for (const [key, { grant }] of this.#all) {
      if (grant && isWithdrawn(grant) && isGone(key)) this.#all.delete(key);
    }
  }
}
