import { describe, expect, test } from '@jest/globals';
import type { LiveObject, Metadata } from '../../../operator/plan/cluster-objects.ts';
import { joiningSteps, namespaceStanding } from '../../../operator/plan/hub/joining.ts';
import { GRANTS } from '../../../operator/rbac/grants.ts';

const porto = { metadata: { name: 'porto', uid: 'uid-of-porto' } };
const steps = joiningSteps(porto, { namespace: 'aicity-system', name: 'aicity-operator' });
const objects = steps.flat().map(({ object }) => object);
const named = (kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === name)!;

describe('what a city needs on its hub', () => {
  test('is in its own namespace, which goes with the CityCluster', () => {
    expect(named('Namespace', 'aicity-city-porto').metadata.ownerReferences).toEqual([
      {
        apiVersion: 'aicity.io/v1alpha1',
        kind: 'CityCluster',
        name: 'porto',
        uid: 'uid-of-porto',
        controller: true,
      },
    ]);
    const others = objects.filter(({ kind }) => kind !== 'Namespace');
    expect(new Set(others.map(({ metadata }) => metadata.namespace))).toEqual(new Set(['aicity-city-porto']));
  });

  test('comes in an order in which each step has what it needs', () => {
    expect(steps.map((stage) => stage.map(({ object }) => object.kind))).toEqual([
      ['Namespace'],
      ['RoleBinding'],
      ['ServiceAccount', 'CityReport', 'Lease', 'RoleBinding'],
      ['Secret'],
    ]);
  });

  test('leaves report, heartbeat and token to those who fill them', () => {
    const applied = steps.flat().filter(({ how }) => how === 'apply');
    expect(applied.map(({ object }) => [object.kind, object.metadata.name])).toEqual([
      ['RoleBinding', 'aicity-city'],
    ]);
  });

  test("binds the city's role to its account and the hub's to the operator, both in this namespace only", () => {
    const bindings = objects.filter(({ kind }) => kind === 'RoleBinding');
    expect(bindings.map(({ roleRef, subjects }) => [roleRef, subjects])).toEqual([
      [
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'aicity-operator-hub-in-city' },
        [{ kind: 'ServiceAccount', name: 'aicity-operator', namespace: 'aicity-system' }],
      ],
      [
        { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'aicity-city' },
        [{ kind: 'ServiceAccount', name: 'city', namespace: 'aicity-city-porto' }],
      ],
    ]);
    const perCity = GRANTS.filter(({ to }) => to.kind === 'perCity').map(({ name }) => name);
    expect(bindings.map(({ metadata }) => metadata.name).sort()).toEqual(perCity.sort());
  });

  test("asks the cluster for a token of the city's account", () => {
    const secret = named('Secret', 'city-token');
    expect(secret['type']).toBe('kubernetes.io/service-account-token');
    expect(secret.metadata.annotations).toEqual({ 'kubernetes.io/service-account.name': 'city' });
    expect(secret).not.toHaveProperty('data');
  });
});

describe('whose a namespace is', () => {
  const ours = named('Namespace', 'aicity-city-porto') as LiveObject;
  const withMetadata = (changes: Partial<Metadata>): LiveObject => ({
    ...ours,
    metadata: { ...ours.metadata, ...changes },
  });
  const owner = ours.metadata.ownerReferences![0]!;

  test.each<[string, LiveObject | undefined]>([
    ['Absent', undefined],
    ['Ours', ours],
    ['Ours', withMetadata({ ownerReferences: [] })],
    ['Former', withMetadata({ ownerReferences: [{ ...owner, uid: 'before' }] })],
    ['Former', withMetadata({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['Foreign', withMetadata({ ownerReferences: [], labels: {} })],
    [
      'Foreign',
      withMetadata({
        ownerReferences: [],
        labels: { ...ours.metadata.labels, 'aicity.io/share-of-city': 'faro' },
      }),
    ],
    ['Foreign', withMetadata({ ownerReferences: [{ ...owner, kind: 'Tenant' }] })],
  ])('%s', (standing, namespace) => {
    expect(namespaceStanding(porto, namespace)).toBe(standing);
  });
});
