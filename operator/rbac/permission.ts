/** What a line of the list of permissions says, and who receives it. */
export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  /** To give a role to somebody without holding its rights; only ever for a role of ours, by name. */
  | 'bind';

export interface Permission {
  /** Empty for the core group. */
  readonly apiGroup: string;
  /** `plural` or `plural/subresource`. */
  readonly resources: readonly string[];
  readonly verbs: readonly Verb[];
  /** Only objects of these names. `create`, `list` and `watch` cannot be limited by name. */
  readonly resourceNames?: readonly string[];
  readonly why: string;
}

/**
 * Who receives a grant. `aggregated`: everybody whom the cluster's own roles of that name are bound to. `perCity`: nobody
 * at first; the hub binds the role in the namespace of each city (plan/hub/joining.ts).
 */
export type Grantee =
  | { readonly kind: 'operator' }
  | { readonly kind: 'serviceAccount'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'aggregated'; readonly into: readonly ('admin' | 'edit' | 'view')[] }
  | { readonly kind: 'perCity' };

/** Parts of an installation that are off unless they are asked for, or can be turned off. */
export type Feature = 'metricsAdapter' | 'hub' | 'hubMetrics' | 'city';

export interface Grant {
  /** Name of the role and of its binding. */
  readonly name: string;
  readonly to: Grantee;
  /** `cluster`: in every namespace and for cluster-scoped kinds. `own`: in the operator's namespace only. */
  readonly scope: 'cluster' | 'own';
  /** Given only while that part of the installation is on. */
  readonly only?: Feature;
  readonly permissions: readonly Permission[];
}

/** A role that every cluster has, bound to the operator. */
export interface ExistingRole {
  readonly name: string;
  readonly role: string;
  readonly namespace: string;
  readonly only?: Feature;
  readonly why: string;
}

/** A local copy is kept; single objects are not asked for. */
export const FOLLOW: readonly Verb[] = ['list', 'watch'];
export const READ: readonly Verb[] = ['get', 'list', 'watch'];
/** Made, followed and removed by the operator. */
export const OWN: readonly Verb[] = ['get', 'list', 'watch', 'create', 'patch', 'delete'];
