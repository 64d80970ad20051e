/** Who may talk to the pods, and to whom they may talk: enough to serve, to report and to fetch the model. */
import { selectorLabels } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { GRPC_PORT, HTTP_PORT } from '../../crds/pod-contract.ts';
import { child } from './child.ts';
import { modelAddress } from './model-address.ts';
import type { Settings } from './observed.ts';
import { DNS_PORT } from './ports.ts';
import type { DesiredObject } from './target.ts';

interface Rule {
  readonly to?: readonly Readonly<Record<string, unknown>>[];
  readonly ports?: readonly { readonly protocol: 'TCP' | 'UDP'; readonly port?: number }[];
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
      ingress: [{ ports: [tcp(HTTP_PORT), tcp(GRPC_PORT)] }],
      egress: [toDns(), toOperator(settings), ...toModel(service)],
    },
  });
}

/** Name servers live in other namespaces, on the node or outside, so only the port is narrow. */
function toDns(): Rule {
  return { ports: [{ protocol: 'UDP', port: DNS_PORT }, tcp(DNS_PORT)] };
}

function toOperator({ operatorNamespace, operatorPort }: Settings): Rule {
  return { to: [namespaceNamed(operatorNamespace)], ports: [tcp(operatorPort)] };
}

/** Enough to reach the model, and no more than the service itself says: the operator reads no Secret. */
function toModel(service: ModelService): Rule[] {
  const uri = modelAddress(service);
  if ('problem' in uri) return [];
  switch (uri.scheme) {
    case 'http':
    case 'https':
      return toHost(uri, service.metadata.namespace);
    case 's3':
      return toS3(service);
    case 'gs':
      return [
        { ports: [tcp(443)] },
        ...(service.spec.model.credentialsSecretRef ? [] : [TO_METADATA_SERVICE]),
      ];
    case 'oci':
      return toRegistry(uri, service.metadata.namespace);
    case 'pvc':
    case 'file':
      return [];
  }
}

/**
 * A host outside the cluster is reached at the port of the address. A Service inside it may lead to any port of its
 * pods, and a policy sees that port: there the namespace is what narrows.
 */
function toHost({ host, port }: { host: string; port: number }, own: string): Rule[] {
  const namespace = namespaceOfHost(host, own);
  return [{ ports: [tcp(port)] }, ...(namespace === undefined ? [] : [{ to: [namespaceNamed(namespace)] }])];
}

/**
 * AWS_ENDPOINT_URL in spec.podTemplate.env names the one place. Otherwise it may stand in the Secret, which is not
 * read, so any port may be it; and without a Secret it is AWS, with the metadata service that lends a role.
 */
function toS3({ metadata, spec }: Pick<ModelService, 'metadata' | 'spec'>): Rule[] {
  const endpoint = endpointOf(spec);
  if (endpoint) return toHost(endpoint, metadata.namespace);
  if (spec.model.credentialsSecretRef) return [{ ports: [{ protocol: 'TCP' }] }];
  return [{ ports: [tcp(443)] }, TO_METADATA_SERVICE];
}

/** Tokens, and often the layers, come from other hosts, which are on the web's own port. */
function toRegistry(registry: { host: string; port: number }, own: string): Rule[] {
  return [...toHost(registry, own), ...(registry.port === 443 ? [] : [{ ports: [tcp(443)] }])];
}

/** Clouds lend the role of a machine or pod at link-local addresses; GKE's pods are led to port 988. */
const TO_METADATA_SERVICE: Rule = {
  to: [{ ipBlock: { cidr: '169.254.0.0/16' } }],
  ports: [tcp(80), tcp(988)],
};

function endpointOf({ podTemplate }: ModelService['spec']): { host: string; port: number } | undefined {
  const variables = ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].map(
    (wanted) => podTemplate?.env?.find(({ name }) => name === wanted)?.value,
  );
  const value = variables.find((text) => text !== undefined && text !== '');
  const found = /^(https?):\/\/([^/:@\s]+)(?::([0-9]{1,5}))?(?:\/|$)/.exec(value ?? '');
  if (!found) return undefined;
  const [, scheme, host = '', port] = found;
  return { host, port: port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port) };
}

/** The namespace of a Service's DNS name: `store`, `store.data`, `store.data.svc`, `store.data.svc.cluster.local`. */
function namespaceOfHost(host: string, own: string): string | undefined {
  const [name, namespace, svc] = host.replace(/\.$/, '').split('.');
  if (namespace === undefined) return name === 'localhost' ? undefined : own;
  const isAddress = /^[\d.]+$/.test(host);
  return !isAddress && (svc === undefined || svc === 'svc') ? namespace : undefined;
}
