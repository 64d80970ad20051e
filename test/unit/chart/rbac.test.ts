import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { CITY_ROLE_NAME } from '../../../crds/region.ts';
import { resources } from '../../../operator/kube/resources.ts';
import { API_VERSIONS } from '../../../operator/plan/names.ts';
import { CHILD_KINDS } from '../../../operator/plan/target.ts';
import { EXISTING_ROLES, GRANTS } from '../../../operator/rbac/grants.ts';
import { HUB_IN_CITY_ROLE_NAME } from '../../../operator/rbac/names.ts';
import type { Permission, Verb } from '../../../operator/rbac/permission.ts';
import { rbacTemplate } from '../../../operator/rbac/templates.ts';

/** Of an installation that is neither hub nor city. */
const operatorGrants = GRANTS.filter(
  ({ to, only }) => to.kind === 'operator' && (only === undefined || only === 'metricsAdapter'),
);
const all = GRANTS.flatMap(({ permissions }) => permissions);
const everywhere = operatorGrants
  .filter(({ scope }) => scope === 'cluster')
  .flatMap(({ permissions }) => permissions);

function allows(permissions: readonly Permission[], apiGroup: string, resource: string, verb: Verb): boolean {
  return permissions.some(
    (permission) =>
      permission.apiGroup === apiGroup &&
      permission.resources.includes(resource) &&
      permission.verbs.includes(verb) &&
      permission.resourceNames === undefined,
  );
}

describe('the list of permissions', () => {
  test('has a reason, a sentence, for each line', () => {
    for (const { why } of [...all, ...EXISTING_ROLES]) expect(why).toMatch(/^[^\n]{10,}[.]$/);
  });

  test('has no wildcard and nothing by which somebody could gain rights', () => {
    for (const { apiGroup, resources: names, verbs } of all) {
      expect([apiGroup, ...names, ...verbs].filter((word) => word.includes('*'))).toEqual([]);
      for (const verb of ['escalate', 'impersonate']) expect(verbs).not.toContain(verb);
      expect(names).not.toContain('pods/exec');
      expect(names).not.toContain('serviceaccounts/token');
    }
  });

  test('lets a hub give the two roles of a city to accounts, and no other; nobody else gives any', () => {
    const giving = GRANTS.flatMap(({ name, permissions }) =>
      permissions
        .filter(({ apiGroup }) => apiGroup === 'rbac.authorization.k8s.io')
        .map(({ resources: names, verbs, resourceNames }) => [name, names[0], verbs.join(), resourceNames]),
    );
    expect(giving).toEqual([
      ['aicity-operator-metrics-adapter', 'clusterroles', 'get', ['aicity-operator-metrics-adapter']],
      ['aicity-operator-hub', 'rolebindings', 'create', undefined],
      ['aicity-operator-hub', 'clusterroles', 'bind', [CITY_ROLE_NAME, HUB_IN_CITY_ROLE_NAME]],
      ['aicity-operator-hub-in-city', 'rolebindings', 'patch', [CITY_ROLE_NAME]],
    ]);
  });

  test('lets a city on the hub read its shares, and write its report and its heartbeat', () => {
    const { permissions } = GRANTS.find(({ name }) => name === CITY_ROLE_NAME)!;
    expect(permissions.map(({ why, ...permission }) => permission)).toEqual([
      { apiGroup: 'aicity.io', resources: ['modelservices'], verbs: ['get', 'list', 'watch'] },
      {
        apiGroup: 'aicity.io',
        resources: ['cityreports'],
        resourceNames: ['city'],
        verbs: ['get', 'patch'],
      },
      {
        apiGroup: 'coordination.k8s.io',
        resources: ['leases'],
        resourceNames: ['heartbeat'],
        verbs: ['get', 'patch', 'update'],
      },
    ]);
  });

  test('limits by name only verbs that can be limited by name', () => {
    for (const { resourceNames, verbs } of all) {
      if (resourceNames === undefined) continue;
      for (const verb of ['create', 'list', 'watch', 'deletecollection']) expect(verbs).not.toContain(verb);
    }
  });

  test('lets the operator read and write its own Secret and no other', () => {
    const secrets = operatorGrants.flatMap(({ scope, permissions }) =>
      permissions
        .filter(({ resources: names }) => names.some((name) => name.startsWith('secrets')))
        .map(({ verbs, resourceNames }) => ({ scope, verbs, resourceNames })),
    );
    expect(secrets).toEqual([
      { scope: 'own', verbs: ['create'], resourceNames: undefined },
      { scope: 'own', verbs: ['get', 'update'], resourceNames: ['aicity-operator-tls'] },
    ]);
  });

  test.each(CHILD_KINDS.map((kind) => [kind]))('lets the operator keep %ss of any service', (kind) => {
    const apiGroup = API_VERSIONS[kind].includes('/') ? API_VERSIONS[kind].split('/')[0]! : '';
    for (const verb of ['list', 'watch', 'create', 'patch', 'delete'] as const) {
      expect([verb, allows(everywhere, apiGroup, resources[kind].plural, verb)]).toEqual([verb, true]);
    }
  });

  test('lets the operator change no object of a kind that a service does not consist of', () => {
    const children = CHILD_KINDS.map((kind) => resources[kind].plural);
    const changed = everywhere
      .filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch', 'create'].includes(verb)))
      .flatMap(({ resources: names, resourceNames }) => (resourceNames ? [] : names))
      .filter((name) => !(children as string[]).includes(name));
    expect(changed.sort()).toEqual(['events', 'modelservices/finalizers', 'modelservices/status']);
  });
});

describe('the RBAC template', () => {
  /** Templates in values become plain words, and conditions go. */
  const documents = rbacTemplate()
    .replace(/\{\{- (if|end).*\}\}\n/g, '')
    .replace(/\{\{-? include .*\}\}/g, 'labels: here')
    .replace(/\{\{- \/\*.*\*\/\}\}\n/, '')
    .replace(/\{\{ \.Release\.Namespace \}\}/g, 'aicity-system')
    .split('---\n')
    .filter((text) => text.trim() !== '')
    .map(
      (text) =>
        load(text) as { kind: string; metadata: { name: string }; rules?: object[]; roleRef?: object },
    );

  test('has every rule of the list', () => {
    const rules = documents.flatMap(({ rules = [] }) => rules);
    const listed = all.map(({ apiGroup, resources: names, verbs, resourceNames }) => ({
      apiGroups: [apiGroup],
      resources: names,
      ...(resourceNames && { resourceNames }),
      verbs,
    }));
    expect(rules).toEqual(listed);
  });

  test('binds each role once, but the ones that the cluster itself aggregates or the hub binds', () => {
    const bound = documents.filter(({ roleRef }) => roleRef).map(({ metadata }) => metadata.name);
    const expected = GRANTS.filter(({ to }) => ['operator', 'serviceAccount'].includes(to.kind)).map(
      ({ name }) => name,
    );
    expect(bound.sort()).toEqual([...expected, ...EXISTING_ROLES.map(({ name }) => name)].sort());
  });

  test('leaves out the rights of parts that are off', () => {
    const kept = rbacTemplate().replace(/\{\{- if .*?\{\{- end \}\}\n/gs, '');
    expect(kept).not.toMatch(/apiservices|subjectaccessreviews|custom\.metrics|authentication-reader/);
    expect(kept).not.toMatch(/cityclusters|cityreports|namespaces|rolebindings|bind/);
    expect(kept).toContain('modelservices/status');
  });
});
