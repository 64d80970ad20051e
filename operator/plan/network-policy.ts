/** Who may talk to the pods, and to whom they may talk: enough to serve, to report and to fetch the model. */
import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { parseModelUri } from '../../crds/model-uri.ts';
import { HTTP_PORT } from '../../crds/pod-contract.ts';
import { child } from './child.ts';
import type { Settings } from './observed.ts';
import { DNS_PORT, OPERATOR_TLS_PORT } from './ports.ts';
import type { DesiredObject } from './target.ts';

interface Rule {
  readonly to?: readonly Readonly<Record<string, unknown>>[];
  readonly ports?: readonly { readonly protocol: 'TCP' | 'UDP'; readonly port: number }[];
}

const tcp = (port: number) => ({ protocol: 'TCP' as const, port });
const namespaceNamed = (name: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
});

export function networkPolicy(service: ModelService, settings: Settings): DesiredObject {
  return child(service, 'NetworkPolicy', {
    spec: {
      podSelector: { matchLabels: selectorLabels(service.metadata.name) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [tcp(HTTP_PORT)] }],
      egress: [toDns(), toOperator(settings), ...toModel(service)],
    },
  });
}

/** Name servers live in other namespaces, on the node or outside, so only the port is narrow. */
function toDns(): Rule {
  return { ports: [{ protocol: 'UDP', port: DNS_PORT }, tcp(DNS_PORT)] };
}

function toOperator({ operatorNamespace }: Settings): Rule {
  return { to: [namespaceNamed(operatorNamespace)], ports: [tcp(OPERATOR_TLS_PORT)] };
}

/**
 * A host outside the cluster is reached at the port of the address. A Service inside it may lead to any port of its
 * pods, and a policy sees that port: there the namespace is what narrows.
 */
function toModel({ metadata, spec }: ModelService): Rule[] {
  const uri = parseModelUri(spec.model.uri);
  if (uri.scheme !== 'http' && uri.scheme !== 'https') return [];
  const namespace = namespaceOfHost(uri.host, metadata.namespace);
  return [
    { ports: [tcp(uri.port)] },
    ...(namespace === undefined ? [] : [{ to: [namespaceNamed(namespace)] }]),
  ];
}

/** The namespace of a Service's DNS name: `store`, `store.data`, `store.data.svc`, `store.data.svc.cluster.local`. */
function namespaceOfHost(host: string, own: string): string | undefined {
  const [name, namespace, svc] = host.replace(/\.$/, '').split('.');
  if (namespace === undefined) return name === 'localhost' ? undefined : own;
  const isAddress = /^[\d.]+$/.test(host);
  return !isAddress && (svc === undefined || svc === 'svc') ? namespace : undefined;
}
