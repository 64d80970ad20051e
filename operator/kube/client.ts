/**
 * What the operator asks of one cluster's API server. Objects go in and out as plain JSON.
 * Every method throws `KubeError` and nothing else, and gives up after a time limit or when `signal` aborts.
 */
import type { KubeObject, ObjectList, ObjectName, WatchEvent } from './objects.ts';
import type { Resource } from './resources.ts';

export { isKubeError, KubeError, type KubeErrorKind } from './errors.ts';

export interface KubeClient {
  /** Which cluster this is, as in every key; empty when there is only one. */
  readonly cluster: string;

  /** Reads one object; `notFound` when there is none. */
  get<T extends KubeObject>(resource: Resource, name: ObjectName, options?: CallOptions): Promise<T>;

  /** Reads all objects that match, page by page, into one list. */
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<ObjectList<T>>;

  /** Reads one page; pass its `metadata.continue` back for the next. `limit: 0` asks for all in one page. */
  listPage<T extends KubeObject>(
    resource: Resource,
    options: ListOptions & { continue?: string | undefined },
  ): Promise<ObjectList<T>>;

  /** Creates an object; `conflict` with reason `AlreadyExists` when there is one of that name. */
  create<T extends KubeObject>(resource: Resource, object: KubeObject, options?: WriteOptions): Promise<T>;

  /** Replaces an object as a whole; `conflict` when its `metadata.resourceVersion` is no longer the newest. */
  replace<T extends KubeObject>(resource: Resource, object: KubeObject, options?: WriteOptions): Promise<T>;

  /**
   * Server-side apply: creates the object or makes the named fields so. Fields that this manager applied before
   * and now leaves out are removed. Without `force`, a field owned by another manager is a `conflict`.
   * With `metadata.uid`, an object that was deleted meanwhile is a `conflict` and is not created anew.
   */
  apply<T extends KubeObject>(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<T>;

  /**
   * Writes `status` and nothing else. `method: 'apply'` (default) owns the fields through server-side apply;
   * `method: 'merge'` is a JSON merge patch, in which `null` removes a field and `metadata.resourceVersion`,
   * when given, must still be the newest.
   */
  patchStatus<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: ApplyOptions & { method?: 'apply' | 'merge' },
  ): Promise<T>;

  /**
   * Deletes an object. With `uid`, another object that has taken its name is a `conflict` and stays.
   * An object that is already gone is `notFound`. Returns when the deletion is accepted, not when it is complete.
   */
  delete(resource: Resource, name: ObjectName, options?: DeleteOptions): Promise<void>;

  /**
   * Opens a watch and yields its events until the server ends it. A refusal to open throws the server's error;
   * an `ERROR` event is yielded, not thrown. A line that is not JSON or is too long throws `BadResponse`.
   * There is no limit on silence: the caller aborts through `signal`.
   */
  watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<T>>;

  /** Any other call: scale subresources, reviews, discovery. Returns the parsed body. */
  request<T>(request: RawRequest): Promise<T>;

  /** Closes all connections; calls still in flight fail. */
  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the whole call with all its bytes; default 30. */
  readonly timeoutSeconds?: number | undefined;
}

export interface Selection {
  /** All namespaces when absent or empty. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends CallOptions, Selection {
  /** Objects in one page; default 500. */
  readonly limit?: number | undefined;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string | undefined;
  /** Let the server validate and default, but store nothing. */
  readonly dryRun?: boolean | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Take fields over from other managers; default false. */
  readonly force?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  readonly uid?: string | undefined;
  /** Default `Background`: dependents follow by garbage collection. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly gracePeriodSeconds?: number | undefined;
}

export interface WatchOptions extends Selection {
  /** Start after this version; absent: at the newest. */
  readonly resourceVersion?: string | undefined;
  /** Send all objects first, then a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean | undefined;
  /** After this time the server ends the watch. */
  readonly timeoutSeconds?: number | undefined;
  /** Called once the server has accepted the watch. */
  readonly onOpen?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RawRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path on the API server, without query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string | undefined;
}
