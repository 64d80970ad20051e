/** The local copies that only a hub keeps: the cities, what they report, their heartbeats, and the shares. */
import type { Logger } from 'pino';
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { CityReport } from '../../../crds/city-report.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import { REGION_ANNOTATIONS, REGION_LABELS } from '../../../crds/region.ts';
import type { Selection } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { type Resource, resources } from '../../kube/resources.ts';
import { fingerprint } from '../../plan/canonical-json.ts';
import { type Heartbeat, heartbeatOf, type LeaseLike } from '../../plan/hub/ear.ts';
import { Reflector } from '../../runtime/reflector.ts';
import { Store } from '../../runtime/store.ts';
import type { ReflectorTools } from '../stores.ts';

/** A share as it is kept: there can be forty thousand, and what stands in them is known from their services. */
export interface KeptShare extends KubeObject {
  /** Identity of its spec. */
  readonly specPrint: string;
}

/** A Lease of a city as it is kept. */
export interface KeptLease extends KubeObject {
  readonly beat: Heartbeat;
  readonly peers?: string;
  readonly heartbeatSeconds?: string;
}

export interface HubStores {
  readonly cityClusters: Store<CityCluster>;
  readonly cityReports: Store<CityReport>;
  readonly leases: Store<KeptLease>;
  /** Found by the key of their service under `BY_SHARED`. */
  readonly shares: Store<KeptShare>;
}

export const BY_SHARED = 'shared';

export function createHubStores(log: Logger): HubStores {
  const onError = (err: unknown) => log.error({ err }, 'a change could not be passed on');
  return {
    cityClusters: new Store<CityCluster>({ onError }),
    cityReports: new Store<CityReport>({ onError }),
    leases: new Store<KeptLease>({ onError }),
    shares: new Store<KeptShare>({ onError, indexes: { [BY_SHARED]: sharedService } }),
  };
}

/** All objects in the namespaces of cities carry it. */
const OF_CITIES: Selection = { labelSelector: REGION_LABELS.city };

export function createHubReflectors(stores: HubStores, tools: ReflectorTools): Reflector<KubeObject>[] {
  const reflect = <T extends KubeObject>(
    resource: Resource,
    store: Store<T>,
    selection: Selection,
    project?: (object: KubeObject) => T,
  ) =>
    new Reflector<T>({
      ...tools,
      resource,
      store,
      selection,
      ...(project ? { project } : {}),
    }) as unknown as Reflector<KubeObject>;
  return [
    reflect(resources.CityCluster, stores.cityClusters, {}),
    reflect(resources.CityReport, stores.cityReports, OF_CITIES),
    reflect(resources.Lease, stores.leases, OF_CITIES, keptLease),
    reflect(resources.ModelService, stores.shares, OF_CITIES, keptShare),
  ];
}

function sharedService({ metadata: { labels = {} } }: KubeObject): string[] {
  const namespace = labels[REGION_LABELS.serviceNamespace];
  const name = labels[REGION_LABELS.serviceName];
  return namespace && name ? [`${namespace}/${name}`] : [];
}

export function keptShare(object: KubeObject): KeptShare {
  const { metadata, spec } = object as ModelService;
  const { name, namespace, uid, resourceVersion = '', labels = {}, annotations = {} } = metadata;
  const grant = annotations[REGION_ANNOTATIONS.grant];
  const kept = [REGION_LABELS.city, REGION_LABELS.serviceNamespace, REGION_LABELS.serviceName];
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      labels: Object.fromEntries(
        Object.entries(labels).filter(([label]) => (kept as string[]).includes(label)),
      ),
      ...(grant === undefined ? {} : { annotations: { [REGION_ANNOTATIONS.grant]: grant } }),
    },
    specPrint: fingerprint(spec),
  };
}

function keptLease(object: KubeObject): KeptLease {
  const { name, namespace = '', uid = '', resourceVersion = '', annotations = {} } = object.metadata;
  const peers = annotations[REGION_ANNOTATIONS.peers];
  const heartbeatSeconds = annotations[REGION_ANNOTATIONS.heartbeatSeconds];
  return {
    metadata: { name, namespace, uid, resourceVersion },
    beat: heartbeatOf(object as LeaseLike),
    ...(peers === undefined ? {} : { peers }),
    ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
  };
}
