/**
 * How one object is named everywhere in the operator: in queues, caches, logs and metrics.
 * The cluster is part of the name, so that objects of two cities never meet.
 */
import type { KubeObject } from '../kube/objects.ts';

export interface Key {
  /** Empty where there is only one cluster. */
  readonly cluster: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** The key of an object read from `cluster`. */
export function keyOf(object: KubeObject, cluster = ''): Key {
  return { cluster, namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

/**
 * The canonical form: `namespace/name`, or `cluster/namespace/name` where there are several clusters.
 * Equal strings mean equal keys, since none of the parts can contain a slash.
 */
export function keyString({ cluster, namespace, name }: Key): string {
  return cluster === '' ? `${namespace}/${name}` : `${cluster}/${namespace}/${name}`;
}

/**
 * The reverse of `keyString`.
 *
 * @throws TypeError when the text has not two or three parts or no name
 */
export function parseKey(text: string): Key {
  const parts = text.split('/');
  const [name = '', namespace = '', cluster = ''] = parts.reverse();
  if (parts.length < 2 || parts.length > 3 || name === '') {
    throw new TypeError(`"${text}" is not a key: expected "namespace/name" or "cluster/namespace/name"`);
  }
  return { cluster, namespace, name };
}
