/** Many services of one kind, and what each of them consists of, as the operator's own plan says. */
import type { ModelService } from '../../crds/model-service.ts';
import type { UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import type { Observed, Settings } from '../../operator/plan/observed.ts';
import { plan } from '../../operator/plan/plan.ts';
import { summarise } from '../../operator/plan/status.ts';
import { type ApplyStep, CHILD_KINDS, type ChildKind } from '../../operator/plan/target.ts';
import type { Apply } from './bare-client.ts';

export const REPLICAS = 2;
/** What the operator makes for each of them. */
export const FLEET_KINDS = CHILD_KINDS.filter((kind) => kind !== 'HorizontalPodAutoscaler');

/** Services as a model owner writes them. */
export function modelServices(count: number, namespace: string): Apply[] {
  return Array.from({ length: count }, (_, index) => ({
    resource: resources.ModelService,
    object: {
      metadata: { name: `traffic-${index + 1}`, namespace },
      spec: {
        model: { uri: `https://models.example.org/traffic/${index + 1}`, version: 3 },
        replicas: REPLICAS,
        gpu: { count: 1 },
        resources: { requests: { cpu: '100m', memory: '512Mi' }, limits: { memory: '2Gi' } },
      },
    } as UntypedObject,
  }));
}

/** Everything that the operator writes for a new service: its objects, in the plan's order, and its first status. */
export function writesFor(
  service: ModelService,
  settings: Settings,
): { readonly children: Apply[]; readonly status: Apply } {
  const observed: Observed = {
    now: service.metadata.creationTimestamp ?? '',
    children: [],
    pods: [],
    reports: [],
    reportsSettled: true,
    gpus: { nodes: [], claims: [] },
    customMetrics: { kind: 'Ours' },
    settings,
  };
  const target = plan(service, observed);
  const children = target.steps
    .filter((step): step is ApplyStep => step.action === 'apply')
    .map(({ object }) => ({
      resource: resources[object.kind as ChildKind],
      object: object as UntypedObject,
    }));
  const { name, namespace, uid } = service.metadata;
  const status = summarise(service, observed, target, []);
  const object: UntypedObject = { metadata: { name, namespace, uid }, status };
  return { children, status: { resource: resources.ModelService, object, subresource: 'status' } };
}
