/**
 * Which of the version directories at an address are served: TensorFlow Serving's `model_version_policy`
 * (https://www.tensorflow.org/tfx/serving/serving_config) and version labels. Pure.
 */

export type VersionPolicy =
  /** The highest so many. */
  | { readonly latest: number }
  | { readonly all: true }
  /** These, whatever else is there; also where an address cannot be listed. */
  | { readonly specific: readonly number[] };

/** What a person reads and writes on a command line. */
export const VERSION_POLICY_EXPECTED = 'latest:NUMBER, all, or version numbers separated by commas';

/** Reads a policy as it stands on a command line, or undefined when it is none. */
export function parseVersionPolicy(text: string): VersionPolicy | undefined {
  if (text === 'all') return { all: true };
  const latest = /^latest:([1-9]\d{0,3})$/.exec(text)?.[1];
  if (latest !== undefined) return { latest: Number(latest) };
  if (!/^\d{1,15}(,\d{1,15})*$/.test(text)) return undefined;
  return { specific: [...new Set(text.split(',').map(Number))] };
}

/** Whether an address has to be listed to know what is wanted. */
export function needsListing(policy: VersionPolicy): boolean {
  return !('specific' in policy);
}

/** @param listed versions at the address, lowest first. @returns the wanted ones, lowest first. */
export function wantedVersions(policy: VersionPolicy, listed: readonly number[]): number[] {
  if ('all' in policy) return [...listed];
  if ('latest' in policy) return listed.slice(-policy.latest);
  return [...policy.specific].sort((a, b) => a - b);
}

/**
 * Versions to unload now: those that are no longer wanted, the lowest first, as far as wanted ones have taken their
 * place. So there is never less served than before, nor one version more in memory than a change needs.
 */
export function leavingVersions(
  wanted: ReadonlySet<number>,
  versions: readonly { readonly version: number; readonly isReady: boolean }[],
): number[] {
  const missing = [...wanted].filter(
    (version) => !versions.some((each) => each.version === version && each.isReady),
  ).length;
  const unwanted = versions.filter(({ version }) => !wanted.has(version));
  const serving = unwanted.filter(({ isReady }) => isReady).map(({ version }) => version);
  const stays = new Set(missing > 0 ? serving.sort((a, b) => a - b).slice(-missing) : []);
  return unwanted.map(({ version }) => version).filter((version) => !stays.has(version));
}
