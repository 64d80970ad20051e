/** Gathers what the city has to say from the local copies. Reads only. */
import type { ClaimStatus } from '../../../crds/city-report.ts';
import { LABELS } from '../../../crds/labels.ts';
import { type CapacityPod, capacityOf } from '../../plan/agent/capacity.ts';
import { claimOf, NOTHING_OBEYED } from '../../plan/agent/claims.ts';
import { isFromHub } from '../../plan/agent/mirror.ts';
import { isWithdrawn } from '../../plan/agent/obedience.ts';
import type { ReportContent } from '../../plan/agent/report.ts';
import { type CityAddress, type LiveService, serviceUrlOutside } from '../../plan/agent/service-url.ts';
import type { Autoscaler } from '../../plan/cluster-objects.ts';
import { parseKey } from '../../runtime/key.ts';
import { BY_SERVICE, type Stores } from '../stores.ts';
import type { Holdings } from './holdings.ts';
import type { Shares } from './shares.ts';

export interface ContentSources {
  readonly stores: Stores;
  readonly shares: Pick<Shares, 'keys' | 'of'>;
  readonly holdings: Holdings;
  readonly address: CityAddress;
  readonly versions: { readonly operatorVersion?: string; readonly kubernetesVersion?: string };
}

export function reportContent(sources: ContentSources): ReportContent {
  const { stores, holdings, shares, address, versions } = sources;
  const keys = new Set([...holdings.keys(), ...shares.keys()]);
  const claims = [...keys].sort().flatMap((key) => {
    const claim = claimFor(key, sources);
    return claim ? [[key, claim] as const] : [];
  });
  const nodes = stores.nodes.list().map(({ node, offers }) => ({ usable: node.usable, offers }));
  return {
    ...versions,
    ...(address.address === undefined ? {} : { address: address.address }),
    capacity: capacityOf(nodes, capacityPods(stores, keys)),
    claims: Object.fromEntries(claims),
  };
}

/** @returns undefined when there is nothing to say of the service */
function claimFor(
  key: string,
  { stores, holdings, shares, address }: ContentSources,
): ClaimStatus | undefined {
  const name = parseKey(key);
  const { grant, trouble, uid } = holdings.get(key) ?? {};
  const local = stores.modelServices.get(name);
  const isOurs = local !== undefined && (isFromHub(local) || local.metadata.uid === uid);
  // Pods of a service of the city's own that happens to have the name are no business of the hub.
  const pods = local && !isOurs ? [] : stores.pods.by(BY_SERVICE, key);
  const isOver = (!grant || isWithdrawn(grant)) && pods.length === 0 && !trouble;
  if (isOver && (!grant || !shares.of(key))) return undefined;
  const service = stores.children.Service.get(name) as LiveService | undefined;
  const autoscaler = stores.children.HorizontalPodAutoscaler.get(name) as Autoscaler | undefined;
  const url = serviceUrlOutside(key, service, address);
  return claimOf({
    grant: grant ?? NOTHING_OBEYED,
    service: isOurs ? local : undefined,
    pods,
    ...(autoscaler ? { autoscaler } : {}),
    ...(trouble ? { trouble } : {}),
    ...(url ? { url } : {}),
  });
}

function capacityPods(stores: Stores, keys: ReadonlySet<string>): CapacityPod[] {
  return stores.pods.list().flatMap(({ metadata: { namespace, labels }, takes }) => {
    const service = labels?.[LABELS.service];
    const isOfShare = service !== undefined && keys.has(`${namespace}/${service}`);
    return takes ? [{ takes, isOfShare }] : [];
  });
}
