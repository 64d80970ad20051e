/** CustomResourceDefinitions of other projects, as their Go modules have them; the checksum database vouches for these. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from 'js-yaml';
import type { City } from '../region/city.ts';
import { run } from '../region/command.ts';
import { untilKnown } from './readiness.ts';

const DEFINITIONS = {
  ClusterProfile: [
    'sigs.k8s.io/cluster-inventory-api@v0.1.0',
    'config/crd/bases/multicluster.x-k8s.io_clusterprofiles.yaml',
  ],
  ServiceExport: ['sigs.k8s.io/mcs-api@v0.5.2', 'config/crd/multicluster.x-k8s.io_serviceexports.yaml'],
  GatewayClass: gatewayApi('gatewayclasses'),
  Gateway: gatewayApi('gateways'),
  HTTPRoute: gatewayApi('httproutes'),
  GRPCRoute: gatewayApi('grpcroutes'),
  ReferenceGrant: gatewayApi('referencegrants'),
  BackendTLSPolicy: gatewayApi('backendtlspolicies'),
  Placement: [
    'open-cluster-management.io/api@v1.0.0',
    'cluster/v1beta1/0000_02_clusters.open-cluster-management.io_placements.crd.yaml',
  ],
  ManagedClusterSetBinding: [
    'open-cluster-management.io/api@v1.0.0',
    'cluster/v1beta2/0000_01_clusters.open-cluster-management.io_managedclustersetbindings.crd.yaml',
  ],
  ManifestWorkReplicaSet: [
    'open-cluster-management.io/api@v1.0.0',
    'work/v1alpha1/0000_00_work.open-cluster-management.io_manifestworkreplicasets.crd.yaml',
  ],
} as const;

function gatewayApi(plural: string): [module: string, path: string] {
  const path = `config/crd/standard/gateway.networking.k8s.io_${plural}.yaml`;
  return ['sigs.k8s.io/gateway-api@v1.4.0', path];
}

/**
 * Installs the definition and waits until the kind is served. What another test has left of it goes first: a definition
 * that is on its way out can still be applied, and is gone a moment later.
 *
 * @returns its name
 */
export async function installUpstream(city: City, kind: keyof typeof DEFINITIONS): Promise<string> {
  const definition = await upstreamDefinition(kind);
  const { name } = (load(definition) as { metadata: { name: string } }).metadata;
  await city.kubectl(['delete', 'crd', name, '--ignore-not-found']);
  await city.apply(definition);
  await city.kubectl(['wait', '--for=condition=Established', `crd/${name}`, '--timeout=60s']);
  await untilKnown(city, name);
  return name;
}

/** The definition as YAML. */
export async function upstreamDefinition(kind: keyof typeof DEFINITIONS): Promise<string> {
  const [module, path] = DEFINITIONS[kind];
  const { Dir } = JSON.parse(await run('go', ['mod', 'download', '-json', module])) as { Dir: string };
  return await readFile(join(Dir, path), 'utf8');
}
