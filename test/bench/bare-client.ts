import type { KubeConfig } from '@kubernetes/client-node';
import { Pool } from 'undici';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { type Resource, resourcePath } from '../../operator/kube/resources.ts';

/** One server-side apply. */
export interface Apply {
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly subresource?: 'status';
}

/**
 * The least that writes to an API server: a pool of connections and requests over them. No local copies, no reading
 * before writing, no retries. What it cannot do in less time, no operator can.
 */
export class BareClient {
  readonly #pool: Pool;
  readonly #connections: number;
  readonly #headers: Record<string, string>;

  /** @param connections as many as requests are sent at once */
  constructor(config: KubeConfig, connections: number) {
    const { server, caData } = config.getCurrentCluster()!;
    const { token, certData, keyData } = config.getCurrentUser()!;
    const pem = (base64: string | undefined) => base64 && Buffer.from(base64, 'base64').toString();
    const connect = Object.fromEntries(
      Object.entries({ ca: pem(caData), cert: pem(certData), key: pem(keyData) }).filter(
        ([, value]) => value,
      ),
    );
    this.#pool = new Pool(server, { connections, allowH2: false, connect });
    this.#connections = connections;
    this.#headers = token ? { authorization: `Bearer ${token}` } : {};
  }

  /** Applies all, in this order, over all connections; returns the answers in the same order. */
  async applyAll<T = KubeObject>(applies: readonly Apply[]): Promise<T[]> {
    const answers: T[] = [];
    const entries = applies.entries(); // shared: every worker takes the next one
    const work = async () => {
      for (const [index, apply] of entries) answers[index] = await this.apply<T>(apply);
    };
    await Promise.all(Array.from({ length: this.#connections }, work));
    return answers;
  }

  async apply<T = KubeObject>({ resource, object, subresource = undefined }: Apply): Promise<T> {
    const { name, namespace } = object.metadata;
    const path = resourcePath(resource, { namespace, name, ...(subresource ? { subresource } : {}) });
    const { apiVersion, kind } = resource;
    return await this.#patch<T>(`${path}?fieldManager=bench&force=true`, 'application/apply-patch+yaml', {
      ...object,
      apiVersion,
      kind,
    });
  }

  /** A JSON merge patch, as `kubectl patch` and `kubectl scale` send it. */
  async merge(resource: Resource, { namespace, name }: { namespace: string; name: string }, patch: object) {
    await this.#patch(resourcePath(resource, { namespace, name }), 'application/merge-patch+json', patch);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** @throws Error with the server's answer when it is not a success */
  async #patch<T>(path: string, contentType: string, document: object): Promise<T> {
    const { statusCode, body } = await this.#pool.request({
      method: 'PATCH',
      path,
      headers: { ...this.#headers, 'content-type': contentType, accept: 'application/json' },
      body: JSON.stringify(document),
    });
    const text = await body.text();
    if (statusCode >= 300)
      throw new Error(`PATCH ${path} was answered with ${statusCode}: ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }
}
