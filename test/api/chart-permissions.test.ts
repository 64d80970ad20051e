import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GRANTS } from '../../operator/rbac/grants.ts';
import { OPERATOR_NAME } from '../../operator/rbac/names.ts';
import type { Feature, Permission } from '../../operator/rbac/permission.ts';
import type { City } from '../region/city.ts';
import type { CommandFailed } from '../region/command.ts';
import { cluster } from './cluster.ts';
import { renderObjects } from './helm.ts';
import { removeOperatorAccount } from './operator-account.ts';

/** One thing that may be done: verb, group, resource, and the object's name or all. */
type Right = `${string} ${string}/${string} ${string}`;

interface Rule {
  verbs: string[];
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
}

/**
 * Asks the API server itself, under the operator's identity, for all that it may do in a namespace, and compares
 * that with the declared list: nothing less and nothing more.
 */
const installations: [string, Feature[], string[]][] = [
  ['by default', [], []],
  ['of a hub', ['hub'], ['hub.enabled=true']],
  ['of a city', ['city'], ['city.name=porto', 'city.hub.kubeconfigSecret=hub']],
];

describe.each(installations)("the operator's service account %s", (_, features, settings) => {
  let city: City;
  let own: string;
  let other: string;

  beforeAll(async () => {
    city = await cluster();
    own = await city.freshNamespace('operator');
    other = await city.freshNamespace('elsewhere');
    const roles = (await renderObjects(settings, own)).filter(
      ({ apiVersion, kind }) =>
        apiVersion.startsWith('rbac.authorization.k8s.io/') || kind === 'ServiceAccount',
    );
    await city.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: roles }));
  });
  afterAll(async () => await removeOperatorAccount(city));

  test('may do in its own namespace exactly what the list says', async () => {
    await expectRights(own, listed(['cluster', 'own'], features));
  });

  test('may do in other namespaces exactly what the list says', async () => {
    await expectRights(other, listed(['cluster'], features));
  });

  test.each([
    ['create', 'deployments.apps', 'yes'],
    ['get', 'secrets', 'no'],
    ['get', 'secret/aicity-operator-tls', 'no'],
    ['list', 'secrets', 'no'],
    ['update', 'modelservices.aicity.io', 'no'],
    ['delete', 'secrets', 'no'],
    ['update', 'rolebindings.rbac.authorization.k8s.io', 'no'],
    ['bind', 'clusterrole.rbac.authorization.k8s.io/cluster-admin', 'no'],
    ['escalate', 'clusterroles.rbac.authorization.k8s.io', 'no'],
    ['delete', 'pods', 'no'],
    ['create', 'clusterrolebindings.rbac.authorization.k8s.io', 'no'],
    ['patch', 'nodes', 'no'],
  ])('asked whether it may %s %s elsewhere, the API server says %s', async (verb, resource, answer) => {
    expect(await mayI(verb, resource, other)).toBe(answer);
  });

  test.each([
    ['get', 'secret/aicity-operator-tls', 'yes'],
    ['get', 'secret/another', 'no'],
    ['list', 'secrets', 'no'],
    ['update', 'lease.coordination.k8s.io/aicity-operator', 'yes'],
    ['update', 'lease.coordination.k8s.io/another', 'no'],
  ])('asked whether it may %s %s at home, the API server says %s', async (verb, resource, answer) => {
    expect(await mayI(verb, resource, own)).toBe(answer);
  });

  test('may read how the API server signs requests that it passes on', async () => {
    const object = 'configmap/extension-apiserver-authentication';
    await city.until('it may', 60, async () => (await mayI('get', object, 'kube-system')) === 'yes');
  });

  /** The API server goes by new roles and bindings a moment after it has stored them. */
  async function expectRights(namespace: string, expected: Right[]): Promise<void> {
    let rights: Right[] = [];
    const until = city.until('it has its rights', 60, async () => {
      rights = await rightsOf(OPERATOR_NAME, namespace);
      return isDeepStrictEqual(rights, expected);
    });
    await until.catch(() => {}); // jest tells better what differs
    expect(rights).toEqual(expected);
  }

  async function mayI(verb: string, resource: string, namespace: string): Promise<string> {
    const account = `system:serviceaccount:${own}:${OPERATOR_NAME}`;
    return await answerTo(city, [verb, resource, '-n', namespace], account);
  }

  /** Without what every service account of the cluster may do anyway. */
  async function rightsOf(account: string, namespace: string): Promise<Right[]> {
    const anybody = new Set(await reviewed('nobody-in-particular', namespace));
    return (await reviewed(account, namespace)).filter((right) => !anybody.has(right));
  }

  async function reviewed(account: string, namespace: string): Promise<Right[]> {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace },
    };
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
    const as = `--as=system:serviceaccount:${own}:${account}`;
    const answer = await city.kubectl(['create', '--raw', path, '-f', '-', as], JSON.stringify(review));
    const { resourceRules } = JSON.parse(answer).status as { resourceRules: Rule[] };
    return sorted(resourceRules.flatMap(rightsIn));
  }
});

describe('people who may edit or view a namespace', () => {
  let city: City;
  let namespace: string;
  const user = `somebody-${randomBytes(3).toString('hex')}`;

  beforeAll(async () => {
    city = await cluster();
    namespace = await city.freshNamespace('people');
    const objects = await renderObjects([], namespace);
    const wanted = objects.filter(
      ({ kind, metadata }) =>
        kind === 'CustomResourceDefinition' || /^aicity-operator-(edit|view)$/.test(metadata.name),
    );
    await city.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: wanted }));
  });

  test.each([
    ['admin', 'yes', 'yes'],
    ['edit', 'yes', 'yes'],
    ['view', 'no', 'yes'],
  ])('%s: may write ModelServices: %s; may read them: %s', async (role, write, read) => {
    const name = `${user}-${role}`;
    await city.kubectl([
      'create',
      'rolebinding',
      name,
      `--clusterrole=${role}`,
      `--user=${name}`,
      '-n',
      namespace,
    ]);
    await city.kubectl([
      'wait',
      '--for=condition=Established',
      'crd/modelservices.aicity.io',
      '--timeout=30s',
    ]);
    const ask = (verb: string, ...rest: string[]) =>
      answerTo(city, [verb, 'modelservices.aicity.io', ...rest, '-n', namespace], name);
    // The cluster's controller adds the rules to its own roles, those to read and those to write one by one.
    await city.until(`${role} may read`, 60, async () => (await ask('get')) === read);
    await city.until(`${role} may create: ${write}`, 60, async () => (await ask('create')) === write);
    expect(await ask('delete')).toBe(write);
    expect(await ask('patch', '--subresource=scale')).toBe(write);
    expect(await ask('patch', '--subresource=status')).toBe('no');
  });
});

/** "yes" or "no", as `kubectl auth can-i` prints it; "no" is an exit status too, and warnings may follow. */
async function answerTo(city: City, question: string[], as: string): Promise<string> {
  const answer = await city
    .kubectl(['auth', 'can-i', ...question, `--as=${as}`])
    .catch(({ output }: CommandFailed) => output);
  return /^(yes|no)\b/m.exec(answer)?.[1] ?? answer;
}

function listed(scopes: ('cluster' | 'own')[], features: Feature[]): Right[] {
  const byDefault: (Feature | undefined)[] = [undefined, 'metricsAdapter', ...features];
  const permissions = GRANTS.filter(
    ({ to, scope, only }) => to.kind === 'operator' && scopes.includes(scope) && byDefault.includes(only),
  ).flatMap((grant): readonly Permission[] => grant.permissions);
  return sorted(
    permissions.flatMap(({ apiGroup, resources, verbs, resourceNames }) =>
      rightsIn({
        apiGroups: [apiGroup],
        resources: [...resources],
        verbs: [...verbs],
        ...(resourceNames && { resourceNames: [...resourceNames] }),
      }),
    ),
  );
}

function rightsIn({ verbs, apiGroups, resources, resourceNames = ['all'] }: Rule): Right[] {
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.map((name): Right => `${verb} ${group}/${resource} ${name}`),
      ),
    ),
  );
}

const sorted = (rights: Right[]) => [...new Set(rights)].sort();
