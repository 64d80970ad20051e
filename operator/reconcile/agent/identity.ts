import type { Logger } from 'pino';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { resources } from '../../kube/resources.ts';
import { backoffSeconds } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface Installation {
  /** Tells this cluster from any other, also from one that is made anew under the same name. */
  readonly identity: string;
  readonly kubernetesVersion: string;
}

const RETRY = { baseSeconds: 1, maxSeconds: 30 };

/** Asks the city's API server until it answers. @returns undefined when `signal` aborts first */
export async function identityOf(
  client: KubeClient,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<Installation | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      const [{ metadata }, version] = await Promise.all([
        client.get<KubeObject>(resources.Namespace, { name: 'kube-system' }, { signal }),
        client.request<{ gitVersion: string }>({ method: 'GET', path: '/version', signal }),
      ]);
      return { identity: metadata.uid!, kubernetesVersion: version.gitVersion };
    } catch (err) {
      if (!signal.aborted) log.warn({ err }, 'the city cannot be asked who it is yet, trying again');
      await clock.sleep(backoffSeconds(failures, RETRY, Math.random), signal);
    }
  }
  return undefined;
}
