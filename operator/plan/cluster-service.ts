import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { GRPC_PORT } from '../../crds/pod-contract.ts';
import { child } from './child.ts';
import { GRPC_PORT_NAME, HTTP_PORT_NAME, SERVICE_PORT } from './ports.ts';
import type { DesiredObject } from './target.ts';

/** The Service by which clients reach the ready replicas: inside the cluster, and outside where `spec.service` says so. */
export function clusterService(service: ModelService): DesiredObject {
  const { type = 'ClusterIP', nodePort, loadBalancerClass, annotations } = service.spec.service ?? {};
  const spec = {
    type,
    ...(loadBalancerClass ? { loadBalancerClass } : {}),
    selector: selectorLabels(service.metadata.name),
    ports: [
      {
        name: 'http',
        port: SERVICE_PORT,
        targetPort: HTTP_PORT_NAME,
        protocol: 'TCP',
        appProtocol: 'http',
        ...(nodePort ? { nodePort } : {}),
      },
      {
        ...{ name: 'grpc', port: GRPC_PORT, targetPort: GRPC_PORT_NAME, protocol: 'TCP' },
        // HTTP/2 without TLS, in the words that gateways and meshes read.
        appProtocol: 'kubernetes.io/h2c',
      },
    ],
  };
  return child(service, 'Service', { spec }, annotations);
}
