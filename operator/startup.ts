/** What must be true before the operator can work. */
import type { Logger } from 'pino';
import { GROUP } from '../crds/model-service.ts';
import { isKubeError, type KubeClient } from './kube/client.ts';
import { resources } from './kube/resources.ts';
import type { Clock } from './runtime/clock.ts';

/** Says which command helps. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

const RETRY_SECONDS = 5;

/**
 * Waits until the API server answers a question about ModelServices.
 *
 * @throws StartupError when it does not know the kind
 */
export async function untilDefinitionIsServed(
  { client, clock, log }: { client: KubeClient; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await client.listPage(resources.ModelService, { limit: 1, signal });
      return;
    } catch (err) {
      if (isKubeError(err, 'notFound')) {
        throw new StartupError(
          `the API server does not know ModelService; install it with: kubectl apply --server-side -f crds/modelservices.${GROUP}.yaml`,
        );
      }
      if (!signal.aborted) log.warn({ err }, 'the API server cannot be asked yet, trying again');
      await clock.sleep(RETRY_SECONDS, signal);
    }
  }
}
