/** What a cluster does itself about a service that is to be served by cities: nothing, once they serve it. */
import type { ModelService } from '../../crds/model-service.ts';
import type { KubeClient } from '../kube/client.ts';
import { withoutHub } from '../plan/no-hub.ts';
import { withdrawal } from '../plan/plan.ts';
import { again, done, type ReconcileResult } from '../runtime/controller.ts';
import { apply } from './apply.ts';
import { type ObserveSources, observe } from './observe.ts';
import type { StatusWriter } from './status-writer.ts';

const AFTER_FAILURE_SECONDS = 5;

export interface PlacedTools extends ObserveSources {
  readonly client: KubeClient;
  readonly statusWriter: StatusWriter;
  readonly isHub?: boolean;
}

/**
 * On a hub, what the service had here before it was placed goes as soon as its cities are ready. Elsewhere nobody places
 * it, and the status says so; what runs goes on.
 */
export async function lookAtPlaced(
  service: ModelService,
  tools: PlacedTools,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { client, clock, isHub = false, statusWriter } = tools;
  if (!isHub) {
    await statusWriter.write(service, withoutHub(service, clock.now()), signal);
    return done;
  }
  if (!service.spec.placement || !isServed(service)) return done;
  const outcomes = await apply(withdrawal(service, observe(service, tools)), client, signal);
  return outcomes.every(({ kind }) => kind === 'done')
    ? done
    : again(AFTER_FAILURE_SECONDS, 'an object could not be deleted');
}

function isServed({ metadata, status }: ModelService): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return (
    status?.placement !== undefined &&
    ready?.status === 'True' &&
    ready.observedGeneration === metadata.generation
  );
}
