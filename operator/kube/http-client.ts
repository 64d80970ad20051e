/**
 * `KubeClient` over HTTP: each verb as the API server's method, path, query and body.
 */
import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  RawRequest,
  WatchOptions,
  WriteOptions,
} from './client.ts';
import type { KubeObject, ObjectList, ObjectName, WatchEvent } from './objects.ts';
import { type Resource, resourcePath } from './resources.ts';
import { Transport, type TransportOptions } from './transport.ts';

const pageSize = 500;
const applyPatch = 'application/apply-patch+yaml'; // JSON is YAML
const mergePatch = 'application/merge-patch+json';

export class HttpKubeClient implements KubeClient {
  readonly cluster: string;
  readonly #transport: Transport;

  /** A client for one cluster; it connects with the first call. `cluster` is empty where there is only one. */
  constructor({ cluster = '', ...options }: TransportOptions & { readonly cluster?: string }) {
    this.cluster = cluster;
    this.#transport = new Transport(options);
  }

  request<T>(request: RawRequest): Promise<T> {
    return this.#transport.request<T>(request);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  get<T extends KubeObject>(resource: Resource, name: ObjectName, options: CallOptions = {}): Promise<T> {
    return this.request<T>({ method: 'GET', path: resourcePath(resource, name), ...options });
  }

  async list<T extends KubeObject>(resource: Resource, options: ListOptions = {}): Promise<ObjectList<T>> {
    const items: T[] = [];
    for (let next: string | undefined; ; ) {
      const { metadata, items: more } = await this.listPage<T>(resource, { ...options, continue: next });
      items.push(...more);
      if (!metadata.continue) return { metadata, items };
      next = metadata.continue;
    }
  }

  async listPage<T extends KubeObject>(
    resource: Resource,
    { namespace, labelSelector, fieldSelector, limit = pageSize, continue: next, ...call }: PageOptions,
  ): Promise<ObjectList<T>> {
    const { metadata, items } = await this.request<ObjectList<T>>({
      method: 'GET',
      path: resourcePath(resource, { namespace }),
      query: { labelSelector, fieldSelector, limit: limit || undefined, continue: next || undefined },
      ...call,
    });
    const { apiVersion, kind } = resource; // the server leaves these out of the items of built-in kinds
    return { metadata, items: (items ?? []).map((item) => ({ ...item, apiVersion, kind })) };
  }

  create<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = resourcePath(resource, { namespace: object.metadata.namespace });
    return this.#write<T>({ method: 'POST', path }, resource, object, options);
  }

  replace<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.#write<T>(
      { method: 'PUT', path: resourcePath(resource, object.metadata) },
      resource,
      object,
      options,
    );
  }

  apply<T extends KubeObject>(resource: Resource, object: KubeObject, options: ApplyOptions): Promise<T> {
    const path = resourcePath(resource, object.metadata);
    return this.#write<T>({ method: 'PATCH', path, contentType: applyPatch }, resource, object, options);
  }

  patchStatus<T extends KubeObject>(
    resource: Resource,
    object: KubeObject,
    { method = 'apply', force, ...options }: ApplyOptions & { method?: 'apply' | 'merge' },
  ): Promise<T> {
    const path = resourcePath(resource, { ...object.metadata, subresource: 'status' });
    return method === 'apply'
      ? this.#write<T>({ method: 'PATCH', path, contentType: applyPatch }, resource, object, {
          ...options,
          force,
        })
      : this.#write<T>({ method: 'PATCH', path, contentType: mergePatch }, resource, object, options);
  }

  async delete(resource: Resource, name: ObjectName, options: DeleteOptions = {}): Promise<void> {
    const { uid, propagation = 'Background', gracePeriodSeconds, ...call } = options;
    await this.request({
      method: 'DELETE',
      path: resourcePath(resource, name),
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation,
        gracePeriodSeconds,
        preconditions: uid === undefined ? undefined : { uid },
      },
      ...call,
    });
  }

  watch<T extends KubeObject>(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds, sendInitialEvents } =
      options;
    const call: RawRequest = {
      method: 'GET',
      path: resourcePath(resource, { namespace }),
      query: {
        watch: true,
        allowWatchBookmarks: true,
        labelSelector,
        fieldSelector,
        resourceVersion,
        timeoutSeconds,
        ...(sendInitialEvents ? { sendInitialEvents, resourceVersionMatch: 'NotOlderThan' } : {}),
      },
      signal: options.signal,
    };
    return this.#transport.stream<WatchEvent<T>>(call, options.onOpen);
  }

  #write<T>(
    target: Pick<RawRequest, 'method' | 'path' | 'contentType'>,
    { apiVersion, kind }: Resource,
    object: KubeObject,
    { fieldManager, force, dryRun, ...call }: WriteOptions & { force?: boolean | undefined },
  ): Promise<T> {
    const { managedFields: _, ...metadata } = object.metadata; // an apply may not carry it, others need it not
    return this.request<T>({
      ...target,
      query: {
        fieldManager,
        force: force || undefined,
        dryRun: dryRun ? 'All' : undefined,
        fieldValidation: 'Strict',
      },
      body: { ...object, apiVersion, kind, metadata },
      ...call,
    });
  }
}

type PageOptions = Parameters<KubeClient['listPage']>[1];
