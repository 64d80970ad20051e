/**
 * Kubernetes JSON as it is on the wire: times are strings, resource versions are opaque, unknown fields stay.
 * Only what every object shares is described here; a caller adds the fields of its kind to `KubeObject`.
 */

/** `metav1.ObjectMeta`, as far as the operator reads or writes it. */
export interface ObjectMeta {
  readonly name: string;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque: compare for equality only, never for order. */
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly unknown[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** What every object of every kind has. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** An object whose remaining fields are not described by a type. */
export interface UntypedObject extends KubeObject {
  readonly [field: string]: unknown;
}

/** A list, or one page of it; `items` always carry their `apiVersion` and `kind`. */
export interface ObjectList<T extends KubeObject> {
  readonly metadata: {
    readonly resourceVersion?: string;
    /** Present while there are more pages. */
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly T[];
}

/** `metav1.Status`: the API server's answer to a request that failed, and the object of an `ERROR` event. */
export interface Status {
  readonly kind?: 'Status';
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly name?: string;
    readonly kind?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly {
      readonly reason?: string;
      readonly message?: string;
      readonly field?: string;
    }[];
  };
}

/** One line of a watch. A bookmark's object has nothing but `metadata.resourceVersion` and annotations. */
export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: Status };

/** Names one object; `namespace` is empty or absent for cluster-scoped kinds. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}
