/**
 * What a hub keeps for a city so that it can dial in: a namespace with an account that can do nothing elsewhere, the
 * account's token, an empty report and an empty heartbeat.
 */
import type { CityCluster } from '../../../crds/city-cluster.ts';
import { LABELS, MANAGER } from '../../../crds/labels.ts';
import { API_VERSION } from '../../../crds/model-service.ts';
import { CITY_OBJECTS, CITY_ROLE_NAME, cityNamespace, REGION_LABELS } from '../../../crds/region.ts';
import { HUB_IN_CITY_ROLE_NAME } from '../../rbac/names.ts';
import type { LiveObject, Metadata } from '../cluster-objects.ts';

/** The operator's own account. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

export type JoiningKind = 'Namespace' | 'RoleBinding' | 'ServiceAccount' | 'Secret' | 'CityReport' | 'Lease';

export interface JoiningObject {
  readonly apiVersion: string;
  readonly kind: JoiningKind;
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

/**
 * One object to be there. `create`: it is left as it is when it is there already, since somebody else fills it.
 * `apply`: what others have changed of it is put back.
 */
export interface JoiningStep {
  readonly how: 'create' | 'apply';
  readonly object: JoiningObject;
}

type CityIdentity = { readonly metadata: Pick<CityCluster['metadata'], 'name' | 'uid'> };

/**
 * In the order of the steps: first the namespace, then the hub's own rights in it, which the rest needs.
 *
 * @param hub receives the role by which the hub writes in the namespace
 */
export function joiningSteps(city: CityIdentity, hub: Account): JoiningStep[][] {
  const { name } = city.metadata;
  const inCity = (objectName: string): Metadata => ({
    name: objectName,
    namespace: cityNamespace(name),
    labels: { [REGION_LABELS.city]: name },
  });
  const account = { namespace: cityNamespace(name), name: CITY_OBJECTS.serviceAccount };
  return [
    [{ how: 'create', object: cityNamespaceObject(city) }],
    [{ how: 'create', object: roleBinding(inCity(HUB_IN_CITY_ROLE_NAME), hub) }],
    [
      {
        how: 'create',
        object: {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: inCity(CITY_OBJECTS.serviceAccount),
          automountServiceAccountToken: false,
        },
      },
      {
        how: 'create',
        object: { apiVersion: API_VERSION, kind: 'CityReport', metadata: inCity(CITY_OBJECTS.report) },
      },
      {
        how: 'create',
        object: {
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: inCity(CITY_OBJECTS.lease),
        },
      },
      { how: 'apply', object: roleBinding(inCity(CITY_ROLE_NAME), account) },
    ],
    // The cluster fills it only once the account is there.
    [{ how: 'create', object: tokenSecret(name) }],
  ];
}

/** The cluster writes a token of the city's account into it, and takes the token back when it is deleted. */
export function tokenSecret(city: string): JoiningObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: CITY_OBJECTS.tokenSecret,
      namespace: cityNamespace(city),
      labels: { [REGION_LABELS.city]: city },
      annotations: { 'kubernetes.io/service-account.name': CITY_OBJECTS.serviceAccount },
    },
    type: 'kubernetes.io/service-account-token',
  };
}

/** The garbage collector removes it, with all that is in it, when the CityCluster is gone: no finalizer can hang. */
function cityNamespaceObject({ metadata: { name, uid } }: CityIdentity): JoiningObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: cityNamespace(name),
      labels: {
        [LABELS.managedBy]: MANAGER,
        [REGION_LABELS.city]: name,
        // No pod is ever meant to run there.
        'pod-security.kubernetes.io/enforce': 'restricted',
      },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'CityCluster', name, uid, controller: true }],
    },
  };
}

/** Binds the ClusterRole that has the binding's own name. */
function roleBinding(metadata: Metadata, { namespace, name }: Account): JoiningObject {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  };
}

/**
 * `Absent`: to be made. `Ours`: to be filled. `Former`: on its way out, or left by a CityCluster of the same name that
 * is gone. `Foreign`: somebody else's.
 */
export type NamespaceStanding = 'Absent' | 'Ours' | 'Former' | 'Foreign';

/**
 * Whose the namespace of a city is. One that carries our labels and has no owner, as after a restore from a backup, is
 * ours; it then stays when the CityCluster goes.
 */
export function namespaceStanding(city: CityIdentity, namespace: LiveObject | undefined): NamespaceStanding {
  if (!namespace) return 'Absent';
  const { labels, ownerReferences, deletionTimestamp } = namespace.metadata;
  const owner = ownerReferences?.find(({ controller }) => controller);
  const isLabelled =
    labels?.[LABELS.managedBy] === MANAGER && labels[REGION_LABELS.city] === city.metadata.name;
  const isOfCity = owner?.kind === 'CityCluster' && owner.name === city.metadata.name;
  if (owner ? !isOfCity : !isLabelled) return 'Foreign';
  const isFormer = deletionTimestamp !== undefined || (owner && owner.uid !== city.metadata.uid);
  return isFormer ? 'Former' : 'Ours';
}
