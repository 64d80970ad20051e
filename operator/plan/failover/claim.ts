/**
 * What a city may run of a service, agreed across a connection that can break at any moment.
 *
 * The hub writes a grant for the city: at least `floor` and at most `ceiling` replicas. Each grant of a service has a
 * higher epoch than any before it, and names the session of the city in which it was decided. The city obeys a grant
 * only when its epoch is higher than the one that it obeys and its session is the one that the city is in. A city that
 * was out of touch is in a new session, so whatever was decided before cannot reach it: it is fenced. It reports, the
 * hub decides again knowing that, and only that is obeyed.
 */

export interface Bounds {
  readonly floor: number;
  readonly ceiling: number;
}

export interface Grant extends Bounds {
  readonly epoch: number;
  readonly session: string;
}

export const NOTHING_GRANTED: Grant = { epoch: 0, session: '', floor: 0, ceiling: 0 };

/** What a city says of one service. */
export interface ClaimReport extends Bounds {
  /** Of the grant that it obeys. */
  readonly epoch: number;
  /** Pods that exist. */
  readonly running: number;
  readonly ready: number;
  /** Replicas that the present load would need: running × load ÷ target. */
  readonly needed: number;
}

/** The city's side: whether a grant is to be obeyed, and what for not. */
export function judgeGrant(
  obeyedEpoch: number,
  offered: Grant,
  session: string,
): 'Obey' | 'AlreadyObeyed' | 'OtherSession' {
  if (offered.epoch <= obeyedEpoch) return 'AlreadyObeyed';
  return offered.session === session ? 'Obey' : 'OtherSession';
}

/** The hub's side: what was last granted, and the most that the city may have obeyed meanwhile. */
export interface Claim {
  readonly grant: Grant;
  /** The city's ceiling is no higher than this, whatever of the grants under way has arrived. */
  readonly mayHold: number;
}

export const NO_CLAIM: Claim = { grant: NOTHING_GRANTED, mayHold: 0 };

/** Until it is acknowledged the old and the new grant count both. */
export function granted({ mayHold }: Claim, grant: Grant): Claim {
  return { grant, mayHold: Math.max(mayHold, grant.ceiling) };
}

/**
 * What the hub learns from a report. A grant that was obeyed settles the claim. A grant for an earlier session of the
 * city can no longer be obeyed, so what the city reports is what it has.
 *
 * @param report undefined when the city holds nothing of the service
 */
export function acknowledged(claim: Claim, report: ClaimReport | undefined, session: string): Claim {
  const { grant, mayHold } = claim;
  if (report && report.epoch >= grant.epoch) {
    const isSame = report.epoch === grant.epoch;
    if (isSame && mayHold === grant.ceiling) return claim;
    return isSame ? { grant, mayHold: grant.ceiling } : asReported(report, session);
  }
  if (grant.session === session || grant.epoch === 0) return claim;
  return asReported(report, session);
}

export function isObeyed({ grant }: Claim, report: ClaimReport | undefined): boolean {
  return grant.epoch === (report?.epoch ?? 0);
}

function asReported(report: ClaimReport | undefined, session: string): Claim {
  const { epoch = 0, floor = 0, ceiling = 0 } = report ?? {};
  return { grant: { epoch, session, floor, ceiling }, mayHold: ceiling };
}
