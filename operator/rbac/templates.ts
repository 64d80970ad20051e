/** The chart's RBAC templates, written from the list in grants.ts. */
import { dump } from 'js-yaml';
import { EXISTING_ROLES, GRANTS } from './grants.ts';
import { OPERATOR_NAME } from './names.ts';
import type { ExistingRole, Feature, Grant, Permission } from './permission.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const RELEASE_NAMESPACE = '{{ .Release.Namespace }}';
const LABELS = '{{- include "aicity-operator.labels" . | nindent 4 }}';

/** When a part of the installation is on. */
const CONDITIONS: Readonly<Record<Feature, string>> = {
  metricsAdapter: '.Values.metricsAdapter.enabled',
  hub: '.Values.hub.enabled',
  // The adapter of a hub serves the metrics of placed services.
  hubMetrics: 'and .Values.hub.enabled .Values.metricsAdapter.enabled',
  city: '.Values.city.name',
};

/** Helm template with every role and binding; each rule has its reason above it. */
export function rbacTemplate(): string {
  const documents = [
    ...GRANTS.map((grant) => ({ grant, text: grantDocuments(grant) })),
    ...EXISTING_ROLES.map((role) => ({ grant: role, text: existingRoleBinding(role) })),
  ].map(({ grant: { only }, text }) => (only ? `{{- if ${CONDITIONS[only]} }}\n${text}{{- end }}\n` : text));
  return `{{- /* Generated from operator/rbac/ by \`npm run generate\`. Do not edit. */}}\n${documents.join('')}`;
}

function grantDocuments(grant: Grant): string {
  const kind = grant.scope === 'own' ? 'Role' : 'ClusterRole';
  const aggregation =
    grant.to.kind === 'aggregated'
      ? grant.to.into.map((role) => `    ${RBAC_GROUP}/aggregate-to-${role}: "true"\n`).join('')
      : '';
  const role = `${head(kind, grant.name, grant.scope === 'own' ? RELEASE_NAMESPACE : undefined)}${aggregation}rules:\n${grant.permissions.map(rule).join('')}`;
  const isBound = grant.to.kind === 'operator' || grant.to.kind === 'serviceAccount';
  return isBound ? role + binding(grant, kind) : role;
}

function rule({ apiGroup, resources, verbs, resourceNames, why }: Permission): string {
  const fields = { apiGroups: [apiGroup], resources, ...(resourceNames && { resourceNames }), verbs };
  const lines = dump(fields, { flowLevel: 1, lineWidth: -1 }).trimEnd().split('\n');
  return `  # ${why}\n  - ${lines.join('\n    ')}\n`;
}

function binding(grant: Grant, roleKind: string): string {
  const namespace = grant.scope === 'own' ? RELEASE_NAMESPACE : undefined;
  const subject =
    grant.to.kind === 'serviceAccount'
      ? { name: grant.to.name, namespace: grant.to.namespace }
      : { name: OPERATOR_NAME, namespace: RELEASE_NAMESPACE };
  return bindingDocument(
    `${roleKind}Binding`,
    grant.name,
    namespace,
    { kind: roleKind, name: grant.name },
    subject,
  );
}

function existingRoleBinding({ name, role, namespace, why }: ExistingRole): string {
  const subject = { name: OPERATOR_NAME, namespace: RELEASE_NAMESPACE };
  const document = bindingDocument('RoleBinding', name, namespace, { kind: 'Role', name: role }, subject);
  return document.replace('---\n', `---\n# ${why}\n`);
}

function bindingDocument(
  kind: string,
  name: string,
  namespace: string | undefined,
  role: { kind: string; name: string },
  subject: { name: string; namespace: string },
): string {
  return `${head(kind, name, namespace)}roleRef:
  apiGroup: ${RBAC_GROUP}
  kind: ${role.kind}
  name: ${role.name}
subjects:
  - kind: ServiceAccount
    name: ${subject.name}
    namespace: ${subject.namespace}
`;
}

function head(kind: string, name: string, namespace: string | undefined): string {
  return `---
apiVersion: ${RBAC_GROUP}/v1
kind: ${kind}
metadata:
  name: ${name}
${namespace ? `  namespace: ${namespace}\n` : ''}  labels:
    ${LABELS}
`;
}
