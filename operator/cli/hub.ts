/** The hub that a command talks to, as the person who calls it. */

import type { KubeConfig } from '@kubernetes/client-node';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import { HttpKubeClient } from '../kube/http-client.ts';
import { byDefault, fromFile } from '../kube/kubeconfig.ts';
import type { Target } from './arguments.ts';

/** What went wrong, in a sentence for the person at the terminal. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface Hub {
  readonly client: KubeClient;
  readonly config: KubeConfig;
  /** For services, where the command does not say another. */
  readonly namespace: string;
}

export function connect({ context, kubeconfig, namespace }: Target): Hub {
  const config = loadConfig(kubeconfig, context);
  const chosen = config.getContextObject(config.getCurrentContext());
  return {
    config,
    client: new HttpKubeClient({ loadConfig: () => config, userAgent: 'kubectl-aicity' }),
    namespace: namespace ?? chosen?.namespace ?? 'default',
  };
}

function loadConfig(kubeconfig: string | undefined, context: string | undefined): KubeConfig {
  try {
    if (kubeconfig !== undefined) return fromFile(kubeconfig, context)();
    const config = byDefault();
    if (context !== undefined) config.setCurrentContext(context);
    if (config.getCurrentCluster()) return config;
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
  const what =
    context === undefined
      ? 'the kubeconfig has no current context'
      : `the kubeconfig has no context "${context}"`;
  throw new CommandError(`${what}: name one with --context, or a file with --kubeconfig`);
}

/** The sentence for a failure of the API server, without what is for logs only. */
export function explained(error: unknown): string {
  if (!isKubeError(error)) return error instanceof Error ? error.message : String(error);
  const said = error.message.replace(/^[A-Z]+ \/\S+: /, '').replace(/ \(HTTP \d+\)$/, '');
  switch (error.status) {
    case 0:
      return `the hub cannot be reached: ${said}`;
    case 401:
      return 'the hub does not accept your credentials: log in anew, or choose another --context';
    case 403:
      return `you may not do that on the hub: ${said}`;
    default:
      return said;
  }
}

/** A question about cities that got 404: the kinds themselves are missing. */
export function noHub(error: unknown): never {
  if (isKubeError(error, 'notFound')) {
    throw new CommandError(
      'this cluster is no hub, since it does not know CityCluster: install the chart there with --set hub.enabled=true, or choose another --context',
    );
  }
  throw error;
}
