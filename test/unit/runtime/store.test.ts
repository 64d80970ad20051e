import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { byController, byLabel, byNamespace, type Change, Store } from '../../../operator/runtime/store.ts';

interface Pod extends KubeObject {
  readonly spec?: { readonly nodes: readonly string[] };
}

function pod(name: string, version: string, app = 'traffic', nodes: string[] = []): Pod {
  return {
    metadata: { name, namespace: 'city', uid: `uid-${name}`, resourceVersion: version, labels: { app } },
    spec: { nodes },
  };
}
const key = (name: string) => ({ cluster: '', namespace: 'city', name });

function observed(store: Store<Pod>): string[] {
  const seen: string[] = [];
  const version = (object: Pod | undefined) => object?.metadata.resourceVersion ?? '-';
  store.subscribe(({ key: { name }, before, after }: Change<Pod>) => {
    seen.push(`${name} ${version(before)}>${version(after)}`);
  });
  return seen;
}

describe('changes', () => {
  test('are told with before and after; the same version again is none', () => {
    const store = new Store<Pod>();
    const seen = observed(store);
    store.set(pod('p', '1'));
    store.set(pod('p', '1'));
    store.set(pod('p', '2'));
    store.remove(pod('p', '3'));
    store.remove(pod('p', '3'));
    expect(seen).toEqual(['p ->1', 'p 1>2', 'p 2>-']);
  });

  test('versions are opaque: a "smaller" one is as new as it comes', () => {
    const store = new Store<Pod>();
    store.set(pod('p', '900'));
    store.set(pod('p', '12'));
    store.set(pod('p', 'not-a-number'));
    expect(store.get(key('p'))?.metadata.resourceVersion).toBe('not-a-number');
  });

  test('another object of the same name and version is a change', () => {
    const store = new Store<Pod>();
    const seen = observed(store);
    store.set(pod('p', '1'));
    store.set({ ...pod('p', '1'), metadata: { ...pod('p', '1').metadata, uid: 'another' } });
    expect(seen).toHaveLength(2);
  });

  test('a replaced copy finds what was deleted, and shows all of it before the first listener hears', () => {
    const store = new Store<Pod>();
    for (const name of ['old', 'kept', 'changed']) store.set(pod(name, '1'));
    expect(store.synced).toBe(false);
    const seen = observed(store);
    const sizes: number[] = [];
    store.subscribe(() => sizes.push(store.size));
    store.replace([pod('kept', '1'), pod('changed', '2'), pod('new', '1')]);
    expect(seen.sort()).toEqual(['changed 1>2', 'new ->1', 'old 1>-']);
    expect(sizes).toEqual([3, 3, 3]);
    expect(store.synced).toBe(true);
  });

  test('a listener that throws is reported; the store and the other listeners go on', () => {
    const errors: unknown[] = [];
    const store = new Store<Pod>({ onError: (error) => errors.push(error) });
    store.subscribe(() => {
      throw new Error('listener');
    });
    const seen = observed(store);
    store.set(pod('p', '1'));
    expect(seen).toEqual(['p ->1']);
    expect(errors).toEqual([new Error('listener')]);
  });

  test('nobody is told after leaving', () => {
    const store = new Store<Pod>();
    let calls = 0;
    const leave = store.subscribe(() => {
      calls += 1;
    });
    store.set(pod('p', '1'));
    leave();
    store.set(pod('p', '2'));
    expect(calls).toBe(1);
  });
});

test('objects are frozen through and through', () => {
  const store = new Store<Pod>();
  store.set(pod('p', '1', 'traffic', ['n1']));
  const { spec, metadata } = store.get(key('p'))!;
  expect(() => (spec as { nodes: string[] }).nodes.push('n2')).toThrow(TypeError);
  expect(() => Object.assign(metadata.labels!, { app: 'speech' })).toThrow(TypeError);
});

describe('indexes', () => {
  const indexes = { controller: byController, app: byLabel('app'), namespace: byNamespace };

  test('find by owner, label and namespace', () => {
    const store = new Store<Pod>({ indexes });
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'uid-r' };
    const owned = pod('owned', '1');
    store.set({
      ...owned,
      metadata: {
        ...owned.metadata,
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, uid: 'mere' },
        ],
      },
    });
    store.set(pod('other', '1', 'speech'));
    const names = (index: string, value: string) =>
      store.by(index, value).map(({ metadata }) => metadata.name);
    expect(names('controller', 'uid-r')).toEqual(['owned']);
    expect(names('controller', 'mere')).toEqual([]);
    expect(names('app', 'city/speech')).toEqual(['other']);
    expect(names('namespace', 'city')).toEqual(['owned', 'other']);
  });

  test('an unknown index names those there are', () => {
    const store = new Store<Pod>({ indexes });
    expect(() => store.by('node', 'n1')).toThrow('no index "node"; it has: controller, app, namespace');
  });

  test('an index that throws leaves the object out and is reported', () => {
    const errors: unknown[] = [];
    const bad = (object: Pod) => [object.spec!.nodes[0]!.toUpperCase()];
    const store = new Store<Pod>({ indexes: { bad }, onError: (error) => errors.push(error) });
    store.set(pod('p', '1'));
    expect(store.get(key('p'))).toBeDefined();
    expect(errors).toHaveLength(1);
    store.set(pod('p', '2', 'traffic', ['n1']));
    expect(store.by('bad', 'N1')).toHaveLength(1);
  });

  test('always agree with a look through all objects', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd');
    const values = fc.subarray(['n1', 'n2', 'n3']);
    const change = fc.oneof(
      fc.record({ set: names, nodes: values }),
      fc.record({ remove: names }),
      fc.record({
        replace: fc.uniqueArray(fc.record({ name: names, nodes: values }), { selector: (p) => p.name }),
      }),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const store = new Store<Pod>({ indexes: { node: (object) => object.spec!.nodes } });
        let version = 0;
        const make = (name: string, nodes: string[]) => {
          version += 1;
          return pod(name, `${version}`, 'traffic', nodes);
        };
        for (const one of changes) {
          if ('set' in one) store.set(make(one.set, one.nodes));
          else if ('remove' in one) store.remove(pod(one.remove, ''));
          else store.replace(one.replace.map(({ name, nodes }) => make(name, nodes)));
          for (const node of ['n1', 'n2', 'n3']) {
            const expected = store.list().filter(({ spec }) => spec!.nodes.includes(node));
            expect(new Set(store.by('node', node))).toEqual(new Set(expected));
          }
        }
      }),
    );
  });
});
