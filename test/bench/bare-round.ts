import type { KubeConfig } from '@kubernetes/client-node';
import type { ModelService } from '../../crds/model-service.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { resources } from '../../operator/kube/resources.ts';
import type { Settings } from '../../operator/plan/observed.ts';
import type { City } from '../region/city.ts';
import { type Apply, BareClient } from './bare-client.ts';
import { apiServerSeconds } from './city.ts';
import { editReplicas } from './edits.ts';
import { modelServices, writesFor } from './fleet.ts';
import { Onlooker } from './onlooker.ts';

export interface RoundOptions {
  readonly city: City;
  /** For the onlooker and for the person who applies ModelServices. */
  readonly client: KubeClient;
  readonly admin: KubeConfig;
  readonly namespace: string;
  readonly services: number;
  readonly edits: number;
  readonly timeoutSeconds: number;
}

/** Seconds from the first apply of a ModelService. */
export interface RoundTimes {
  readonly childrenSeconds: number;
  readonly statusesSeconds: number;
  readonly podsSeconds: number;
  /** Processor time of the API server until objects, statuses and pods were all there. */
  readonly apiServerSeconds: number;
  /** From sending an edit of `spec.replicas` to its being seen in the Deployment. */
  readonly editMilliseconds: readonly number[];
}

/** Requests in flight at once: what the operator's client allows itself. */
export const CONNECTIONS = 32;

/** Makes in a namespace what the operator would make, without thinking. */
export async function bareRound(
  { city, client, admin, namespace, services, edits, timeoutSeconds }: RoundOptions,
  operator: KubeConfig,
  settings: Settings,
): Promise<RoundTimes> {
  const person = new BareClient(admin, CONNECTIONS);
  const bare = new BareClient(operator, CONNECTIONS);
  const onlooker = new Onlooker(client, namespace, services);
  try {
    const usedBefore = await apiServerSeconds(city);
    const startedAt = performance.now();
    const stored = await person.applyAll<ModelService>(modelServices(services, namespace));
    const writes = stored.map((service) => writesFor(service, settings));
    await bare.applyAll(writes.flatMap(({ children }) => children));
    await bare.applyAll(writes.map(({ status }) => status));
    const seconds = async (at: Promise<number>) => ((await at) - startedAt) / 1000;
    const times = {
      childrenSeconds: await seconds(onlooker.until('children', timeoutSeconds)),
      statusesSeconds: await seconds(onlooker.until('statuses', timeoutSeconds)),
      podsSeconds: await seconds(onlooker.until('pods', timeoutSeconds)),
      apiServerSeconds: (await apiServerSeconds(city)) - usedBefore,
    };
    const unsubscribe = answerEdits(
      onlooker,
      bare,
      writes.flatMap(({ children }) => children),
    );
    const editMilliseconds = await editReplicas({ onlooker, person, namespace, services, edits });
    unsubscribe();
    return { ...times, editMilliseconds };
  } finally {
    await onlooker.stop();
    await Promise.all([person.close(), bare.close()]);
  }
}

/** The least loop that follows `spec.replicas`: every change of a ModelService becomes one prepared apply. */
function answerEdits(onlooker: Onlooker, bare: BareClient, children: readonly Apply[]): () => void {
  const deployments = new Map(
    children
      .filter(({ resource }) => resource === resources.Deployment)
      .map(({ object }) => [object.metadata.name, object as Deployment]),
  );
  return onlooker.subscribe(({ metadata, spec }, resource) => {
    const deployment = deployments.get(metadata.name);
    if (resource !== resources.ModelService || !deployment) return;
    const object = { ...deployment, spec: { ...deployment.spec, replicas: spec?.replicas } };
    void bare.apply({ resource: resources.Deployment, object });
  });
}

type Deployment = Apply['object'] & { readonly spec: object };
