/**
 * ServiceExport of the Multi-Cluster Services API (KEP-1645, sigs.k8s.io/mcs-api): where a city's cluster is in a cluster
 * set, its part of a service that the hub gave is offered to the other clusters under `NAME.NAMESPACE.svc.clusterset.local`.
 * What is the city's own is not exported by itself: whom it is for, its people decide.
 */
import type { ModelService } from '../../../crds/model-service.ts';
import { childLabels, ownerOf } from '../child.ts';
import type { LiveObject } from '../cluster-objects.ts';
import { childName } from '../names.ts';
import { isFromHub } from './mirror.ts';

/** @returns undefined for a service that is not from the hub, or on its way out */
export function serviceExport(service: ModelService, apiVersion: string): LiveObject | undefined {
  const { name, namespace, deletionTimestamp } = service.metadata;
  if (!isFromHub(service) || deletionTimestamp !== undefined) return undefined;
  return {
    apiVersion,
    kind: 'ServiceExport',
    metadata: {
      // The API demands the name of the Service.
      name: childName(service, 'Service'),
      namespace,
      labels: childLabels(name),
      ownerReferences: [ownerOf(service)],
    },
  };
}
