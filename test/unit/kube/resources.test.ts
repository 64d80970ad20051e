import { expect, test } from '@jest/globals';
import { type Resource, resourcePath, resources } from '../../../operator/kube/resources.ts';

test('paths of collections, objects and subresources', () => {
  const { Pod, Node, Deployment } = resources;
  expect(resourcePath(Pod, {})).toBe('/api/v1/pods');
  expect(resourcePath(Pod, { namespace: 'city' })).toBe('/api/v1/namespaces/city/pods');
  expect(resourcePath(Pod, { namespace: 'city', name: 'p' })).toBe('/api/v1/namespaces/city/pods/p');
  expect(resourcePath(Deployment, { namespace: 'city', name: 'd', subresource: 'scale' })).toBe(
    '/apis/apps/v1/namespaces/city/deployments/d/scale',
  );
  expect(resourcePath(Node, { name: 'n1' })).toBe('/api/v1/nodes/n1');
});

test('a namespace of a cluster-scoped kind plays no part', () => {
  expect(resourcePath(resources.Node, { namespace: 'city', name: 'n1' })).toBe('/api/v1/nodes/n1');
});

test('a name cannot lead out of its place', () => {
  expect(resourcePath(resources.Node, { name: '../secrets?x' })).toBe('/api/v1/nodes/..%2Fsecrets%3Fx');
});

test('an object of a namespaced kind needs its namespace', () => {
  expect(() => resourcePath(resources.Pod, { name: 'p' })).toThrow('Pod "p" is named without a namespace');
});

test('every kind has a plural in lower case', () => {
  for (const [name, { kind, plural }] of Object.entries<Resource>(resources)) {
    expect(kind).toBe(name);
    expect(plural).toMatch(/^[a-z]+s$/);
    expect(plural.startsWith(kind.toLowerCase().slice(0, -1))).toBe(true);
  }
});
