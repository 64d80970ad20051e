/**
 * When certificates are renewed, as a pure decision.
 *
 * A certificate is renewed at two thirds of its life, so that a third is left for whatever goes wrong. The authority
 * is rolled in steps that no client notices:
 *  1. a new authority is made and trusted beside the old one, whose key is thrown away; the serving certificate stays;
 *  2. once the new bundle has reached every pod, the serving certificate is signed by the new authority;
 *  3. once nothing that the old authority signed can be valid any more, it leaves the bundle.
 */

const DAY_MILLISECONDS = 86_400_000;

export const AUTHORITY_LIFE_DAYS = 3 * 365;
export const SERVING_LIFE_DAYS = 90;
/** The kubelet brings a changed ConfigMap into the pods within about two minutes; a day covers a node that was away. */
export const DISTRIBUTION_DAYS = 1;

export interface Lifetime {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What the decision is made of. */
export interface TlsFacts {
  /** The authority whose key we hold. */
  readonly authority: Lifetime;
  /** Whether older authorities are still in the bundle. */
  readonly trustsFormer: boolean;
  readonly serving: Lifetime & {
    readonly signedByAuthority: boolean;
    /** DNS names that the certificate is valid for. */
    readonly names: readonly string[];
  };
}

export type RenewalDecision =
  | { readonly do: 'keep' }
  | {
      readonly do: 'remakeAll' | 'rollAuthority' | 'renewServing' | 'dropFormer';
      readonly reason: string;
    };

/**
 * @param names DNS names that clients use for this server
 */
export function renewalDecision(now: Date, facts: TlsFacts, names: readonly string[]): RenewalDecision {
  const { authority, serving, trustsFormer } = facts;
  if (now >= authority.notAfter) return { do: 'remakeAll', reason: 'the certificate authority has expired' };

  const missing = names.filter((name) => !serving.names.includes(name));
  if (missing.length > 0) {
    return { do: 'renewServing', reason: `the serving certificate lacks the name ${missing[0]}` };
  }
  if (now >= serving.notAfter) return { do: 'renewServing', reason: 'the serving certificate has expired' };

  const knownEverywhereAt = daysAfter(authority.notBefore, DISTRIBUTION_DAYS);
  const servingDueAt = serving.signedByAuthority ? dueAt(serving) : knownEverywhereAt;
  const serveAgainAt = later(servingDueAt, knownEverywhereAt);
  if (now >= serveAgainAt) {
    const reason = serving.signedByAuthority
      ? 'two thirds of the life of the serving certificate are over'
      : 'the new certificate authority is known everywhere';
    return { do: 'renewServing', reason };
  }

  if (now >= dueAt(authority)) {
    return { do: 'rollAuthority', reason: 'two thirds of the life of the certificate authority are over' };
  }

  const formerUselessAt = daysAfter(authority.notBefore, SERVING_LIFE_DAYS);
  if (trustsFormer && serving.signedByAuthority && now >= formerUselessAt) {
    return { do: 'dropFormer', reason: 'nothing that the former certificate authority signed is valid now' };
  }

  return { do: 'keep' };
}

const dueAt = ({ notBefore, notAfter }: Lifetime): Date =>
  new Date(notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3);

const daysAfter = (start: Date, days: number): Date => new Date(start.getTime() + days * DAY_MILLISECONDS);

const later = (a: Date, b: Date): Date => (a > b ? a : b);
