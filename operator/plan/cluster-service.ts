import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { child } from './child.ts';
import { HTTP_PORT_NAME, SERVICE_PORT } from './ports.ts';
import type { DesiredObject } from './target.ts';

/** The Service by which clients inside the cluster reach the ready replicas. */
export function clusterService(service: ModelService): DesiredObject {
  return child(service, 'Service', {
    spec: {
      selector: selectorLabels(service.metadata.name),
      ports: [{ name: 'http', port: SERVICE_PORT, targetPort: HTTP_PORT_NAME, protocol: 'TCP' }],
    },
  });
}
