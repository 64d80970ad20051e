/** A client whose process dies: from one write on nothing is sent and nothing is answered any more. */
import type { KubeClient } from '../../operator/kube/client.ts';

const WRITES = new Set<PropertyKey>(['create', 'replace', 'apply', 'patchStatus', 'delete']);

export interface DyingClient {
  readonly client: KubeClient;
  readonly isDead: () => boolean;
}

/** @param isLast the write after which it dies: it reaches the API server, and its answer reaches nobody */
export function dyingClient(real: KubeClient, isLast: (object: object) => boolean): DyingClient {
  let dead = false;
  const never = (signal?: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('dead')), { once: true });
    });
  const client = new Proxy(real, {
    get(target, property) {
      const method = Reflect.get(target, property) as (...args: unknown[]) => unknown;
      if (typeof method !== 'function') return method;
      if (property === 'watch' || property === 'listPage' || property === 'close') return method.bind(target);
      return async (...args: unknown[]) => {
        const options = args.findLast((arg) => typeof arg === 'object') as { signal?: AbortSignal };
        if (dead) return await never(options.signal);
        const object = args[property === 'request' ? 0 : 1] as object;
        const isWrite = WRITES.has(property) || (args[0] as { method?: string }).method === 'PATCH';
        if (!isWrite || !isLast(object)) return await method.apply(target, args);
        dead = true;
        await method.apply(target, args);
        return await never(options.signal);
      };
    },
  });
  return { client, isDead: () => dead };
}
