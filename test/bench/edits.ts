import { resources } from '../../operator/kube/resources.ts';
import type { BareClient } from './bare-client.ts';
import { REPLICAS } from './fleet.ts';
import type { Onlooker } from './onlooker.ts';

export interface EditOptions {
  readonly onlooker: Onlooker;
  readonly person: BareClient;
  readonly namespace: string;
  readonly services: number;
  readonly edits: number;
}

/** Between two edits, so that what follows the one (a pod, its events, statuses) hardly meets the next. */
const PAUSE_MILLISECONDS = 250;

/**
 * Edits `spec.replicas` of one service after the other.
 *
 * @returns for each the milliseconds from sending the edit to seeing the number in the Deployment
 */
export async function editReplicas(options: EditOptions): Promise<number[]> {
  const { onlooker, person, namespace, services, edits } = options;
  const replicas = REPLICAS + 1;
  const milliseconds: number[] = [];
  for (let edit = 0; edit < edits; edit++) {
    const name = `traffic-${1 + Math.floor((edit * services) / edits)}`;
    const seen = onlooker.untilReplicas(name, replicas, 60);
    const sentAt = performance.now();
    await Promise.all([
      person.merge(resources.ModelService, { namespace, name }, { spec: { replicas } }),
      seen.then((at) => milliseconds.push(at - sentAt)),
    ]);
    await new Promise((later) => setTimeout(later, PAUSE_MILLISECONDS));
  }
  return milliseconds;
}
