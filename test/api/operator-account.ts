/** The operator's own service account with exactly the permissions that the chart gives it, in an API test's namespace. */
import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import type { KubeClient } from '../../operator/kube/client.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { EXISTING_ROLES, GRANTS } from '../../operator/rbac/grants.ts';
import { OPERATOR_NAME } from '../../operator/rbac/names.ts';
import type { Feature } from '../../operator/rbac/permission.ts';
import type { City } from '../region/city.ts';

const RBAC = 'rbac.authorization.k8s.io';

/** What an installation has by default. */
const BY_DEFAULT: readonly Feature[] = ['metricsAdapter'];

/** Roles and bindings of `operator/rbac`, as JSON lists that kubectl applies. */
function accountManifests(namespace: string, features: readonly Feature[]): object[] {
  const subject = { kind: 'ServiceAccount', name: OPERATOR_NAME, namespace };
  const binding = (
    kind: 'Role' | 'ClusterRole',
    name: string,
    role: string,
    within: object,
    who: object,
  ) => ({
    apiVersion: `${RBAC}/v1`,
    kind: `${'namespace' in within ? 'Role' : 'ClusterRole'}Binding`,
    metadata: { name, ...within },
    roleRef: { apiGroup: RBAC, kind, name: role },
    subjects: [who],
  });
  const isOn = ({ only }: { only?: Feature }) => only === undefined || features.includes(only);
  const granted = GRANTS.filter((grant) => grant.to.kind !== 'aggregated' && isOn(grant)).flatMap(
    ({ name, scope, permissions, to }) => {
      const kind = scope === 'own' ? 'Role' : 'ClusterRole';
      const within = scope === 'own' ? { namespace } : {};
      const rules = permissions.map(({ apiGroup, resources, verbs, resourceNames }) => ({
        apiGroups: [apiGroup],
        resources,
        verbs,
        ...(resourceNames && { resourceNames }),
      }));
      const who = to.kind === 'serviceAccount' ? { ...to, kind: 'ServiceAccount' } : subject;
      const role = { apiVersion: `${RBAC}/v1`, kind, metadata: { name, ...within }, rules };
      return to.kind === 'perCity' ? [role] : [role, binding(kind, name, name, within, who)];
    },
  );
  const existing = EXISTING_ROLES.filter(isOn).map(({ name, role, namespace: where }) =>
    binding('Role', name, role, { namespace: where }, subject),
  );
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: OPERATOR_NAME, namespace } };
  return [account, ...granted, ...existing];
}

/** Makes the account and its permissions, and connects as it. */
export async function operatorClient(
  city: City,
  namespace: string,
  features: readonly Feature[] = BY_DEFAULT,
): Promise<HttpKubeClient> {
  const config = await operatorConfig(city, namespace, features);
  return new HttpKubeClient({ loadConfig: () => config });
}

/** Makes the account and its permissions, and returns its credentials, which live for an hour. */
export async function operatorConfig(
  city: City,
  namespace: string,
  features: readonly Feature[] = BY_DEFAULT,
): Promise<KubeConfig> {
  await applyAll(city, accountManifests(namespace, features));
  const token = (await city.kubectl(['create', 'token', OPERATOR_NAME, '-n', namespace])).trim();
  const admin = new KubeConfig();
  admin.loadFromString(readFileSync(city.kubeconfigPath, 'utf8'));
  const cluster = admin.getCurrentCluster()!;
  const config = new KubeConfig();
  config.loadFromClusterAndUser(cluster, { name: OPERATOR_NAME, token });
  return config;
}

/** Connects as the administrator. */
export function adminClient(city: City): KubeClient {
  const config = new KubeConfig();
  config.loadFromString(readFileSync(city.kubeconfigPath, 'utf8'));
  return new HttpKubeClient({ loadConfig: () => config });
}

/** Takes the cluster-wide permissions away again. */
export async function removeOperatorAccount(city: City): Promise<void> {
  for (const { name, scope } of GRANTS) {
    if (scope === 'own') continue;
    await city.kubectl(['delete', 'clusterrole,clusterrolebinding', name, '--ignore-not-found']);
  }
  for (const { name, namespace } of EXISTING_ROLES) {
    await city.kubectl(['delete', 'rolebinding', name, '-n', namespace, '--ignore-not-found']);
  }
}

export async function applyAll(city: City, items: object[]): Promise<void> {
  await city.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

/** The operator's Service as the chart makes it: without a selector. */
export const operatorService = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: OPERATOR_NAME, namespace },
  spec: { ports: [{ name: 'https', port: 443, targetPort: 9443, protocol: 'TCP' }] },
});
