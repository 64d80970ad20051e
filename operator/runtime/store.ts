/**
 * The local copy of all objects of one kind in one cluster, kept by a reflector and read by everybody.
 * Objects are frozen through and through: what a reader gets is what the API server said.
 */
import type { KubeObject } from '../kube/objects.ts';
import { IndexTable } from './index-table.ts';
import { type Key, keyOf, keyString } from './key.ts';
import { StringPool } from './string-pool.ts';

/** What became of one object. `before` is absent for a new object, `after` for one that is gone. */
export interface Change<T> {
  readonly key: Key;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** The values under which an object is found in an index; none leaves it out. */
export type Index<T> = (object: T) => readonly string[];

export interface StoreOptions<T> {
  /** Empty (default) where there is only one cluster. */
  readonly cluster?: string;
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  /** Told what a listener or an index threw; the store itself goes on. */
  readonly onError?: (error: unknown, key: Key) => void;
}

export class Store<T extends KubeObject> {
  readonly cluster: string;
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, { readonly index: Index<T>; readonly table: IndexTable }>;
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #onError: (error: unknown, key: Key) => void;
  readonly #strings = new StringPool();
  #synced = false;

  constructor({ cluster = '', indexes = {}, onError = () => {} }: StoreOptions<T> = {}) {
    this.cluster = cluster;
    this.#indexes = new Map(
      Object.entries(indexes).map(([name, index]) => [name, { index, table: new IndexTable() }]),
    );
    this.#onError = onError;
  }

  /** True once the first complete list has arrived. Before that, absence means nothing. */
  get synced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: Key): T | undefined {
    return this.#objects.get(keyString(key));
  }

  /** All objects, in no particular order. */
  list(): T[] {
    return [...this.#objects.values()];
  }

  /**
   * The objects that an index files under `value`, in no particular order.
   *
   * @throws TypeError when the store was made without that index
   */
  by(index: string, value: string): T[] {
    const table = this.#indexes.get(index)?.table;
    if (!table) {
      throw new TypeError(
        `this store has no index "${index}"; it has: ${[...this.#indexes.keys()].join(', ')}`,
      );
    }
    return Array.from(table.ids(value), (id) => this.#objects.get(id)!);
  }

  /** Calls back after every change, until the returned function is called. */
  subscribe(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds or updates one object. The same version again is not a change. */
  set(object: T): void {
    this.#notify(this.#put(object));
  }

  /** Removes one object; unknown ones are ignored. */
  remove(object: KubeObject): void {
    this.#notify(this.#drop(keyOf(object, this.cluster)));
  }

  /** Makes the store hold exactly these objects; listeners see all of it done, then one change per object. */
  replace(objects: readonly T[]): void {
    const kept = new Set(objects.map((object) => keyString(keyOf(object, this.cluster))));
    const gone = [...this.#objects].filter(([id]) => !kept.has(id)).map(([, object]) => object);
    const changes = [
      ...gone.map((object) => this.#drop(keyOf(object, this.cluster))),
      ...objects.map((object) => this.#put(object)),
    ];
    this.#synced = true;
    for (const change of changes) this.#notify(change);
  }

  #put(object: T): Change<T> | undefined {
    const key = keyOf(object, this.cluster);
    const id = keyString(key);
    const before = this.#objects.get(id);
    if (before && isSameVersion(before, object)) return undefined;
    const after = this.#kept(object);
    this.#objects.set(id, after);
    for (const { index, table } of this.#indexes.values()) table.file(id, this.#valuesOf(index, key, after));
    return { key, before, after };
  }

  #drop(key: Key): Change<T> | undefined {
    const id = keyString(key);
    const before = this.#objects.get(id);
    if (!before) return undefined;
    for (const { table } of this.#indexes.values()) table.unfile(id);
    this.#objects.delete(id);
    return { key, before, after: undefined };
  }

  /** Frozen, and with texts that stand in many objects in memory once. */
  #kept<V>(value: V): V {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
    const members = value as Record<string, unknown>;
    for (const name of Object.keys(members)) {
      const member = members[name];
      if (typeof member === 'string') members[name] = this.#strings.one(member);
      else this.#kept(member);
    }
    return Object.freeze(value);
  }

  #valuesOf(index: Index<T>, key: Key, object: T): readonly string[] {
    try {
      return index(object);
    } catch (error) {
      this.#onError(error, key);
      return [];
    }
  }

  #notify(change: Change<T> | undefined): void {
    if (!change) return;
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#onError(error, change.key);
      }
    }
  }
}

/** Files objects by the UID of the controller that owns them. */
export const byController: Index<KubeObject> = (object) =>
  (object.metadata.ownerReferences ?? []).filter((owner) => owner.controller).map((owner) => owner.uid);

/** Files objects by their namespace. */
export const byNamespace: Index<KubeObject> = (object) => [object.metadata.namespace ?? ''];

/** Files objects that have this label by `namespace/value`. */
export const byLabel =
  (label: string): Index<KubeObject> =>
  ({ metadata }) => {
    const value = metadata.labels?.[label];
    return value === undefined ? [] : [`${metadata.namespace ?? ''}/${value}`];
  };

/** A deleted and re-created object may not pass for the old one, even in a store without versions. */
function isSameVersion(a: KubeObject, b: KubeObject): boolean {
  const version = a.metadata.resourceVersion;
  return version !== undefined && version === b.metadata.resourceVersion && a.metadata.uid === b.metadata.uid;
}
