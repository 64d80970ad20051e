/** What every object that belongs to a service has in common. */
import { ANNOTATIONS, selectorLabels } from '../../crds/labels.ts';
import { API_VERSION, type ModelService } from '../../crds/model-service.ts';
import { fingerprint } from './canonical-json.ts';
import type { Owner } from './cluster-objects.ts';
import { API_VERSIONS, childName } from './names.ts';
import type { ChildKind, DesiredObject } from './target.ts';

/**
 * A complete object of the service: named, labelled and owned.
 *
 * @param body the fields beside the metadata
 * @param annotations the object's own, beside the identity of what is applied
 */
export function child(
  service: ModelService,
  kind: ChildKind,
  body: Readonly<Record<string, unknown>>,
  annotations: Readonly<Record<string, string>> = {},
): DesiredObject {
  const metadata = {
    name: childName(service, kind),
    namespace: service.metadata.namespace,
    labels: childLabels(service.metadata.name),
    ownerReferences: [ownerOf(service)],
  };
  const object = { apiVersion: API_VERSIONS[kind], kind, metadata: { ...metadata, annotations }, ...body };
  const applied = { [ANNOTATIONS.applied]: fingerprint(object) };
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, ...applied } } };
}

export function childLabels(serviceName: string): Record<string, string> {
  return {
    ...selectorLabels(serviceName),
    'app.kubernetes.io/name': 'model-server',
    'app.kubernetes.io/instance': serviceName,
    'app.kubernetes.io/part-of': 'aicity',
  };
}

export function ownerOf({ metadata }: ModelService): Owner {
  return {
    apiVersion: API_VERSION,
    kind: 'ModelService',
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
