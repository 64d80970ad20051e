/** Namespaces in which services of the hub run. */
import { isKubeError, type KubeClient } from '../../kube/client.ts';
import { resources } from '../../kube/resources.ts';
import type { Trouble } from '../../plan/agent/claims.ts';

/** A hub has no business in the namespaces of the cluster itself and of its operator. */
export function namespaceTrouble(namespace: string, own: string): Trouble | undefined {
  if (namespace !== own && !namespace.startsWith('kube-')) return undefined;
  return {
    reason: 'NamespaceProtected',
    message: `The city lets no hub run anything in namespace ${namespace}; use another namespace on the hub`,
  };
}

/**
 * Makes a namespace; one that is there already is as good.
 *
 * @throws KubeError
 */
export async function makeNamespace(name: string, client: KubeClient, signal: AbortSignal): Promise<void> {
  try {
    await client.create(resources.Namespace, { metadata: { name } }, { signal });
  } catch (error) {
    if (!isKubeError(error, 'conflict')) throw error;
  }
}
