/**
 * What a share of the hub becomes in the city: a ModelService of the name that people gave it on the hub. Its bounds are
 * those of the grant that is obeyed, and nothing else; all other fields follow the share.
 */
import { Autoscaling } from '../../../crds/autoscaling.ts';
import { API_VERSION, type ModelService, type ModelServiceSpec } from '../../../crds/model-service.ts';
import { REGION_ANNOTATIONS, REGION_LABELS, ShareGrant } from '../../../crds/region.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { Bounds, Grant } from '../failover/claim.ts';

/** A ModelService as the agent applies it. */
export interface MirroredService {
  readonly apiVersion: string;
  readonly kind: 'ModelService';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: ModelServiceSpec;
}

type Labelled = Pick<ModelService, 'metadata'>;

/** @returns namespace/name of the service that the share is a part of; undefined for what is no share */
export function serviceOf({ metadata: { labels = {} } }: Labelled): string | undefined {
  const namespace = labels[REGION_LABELS.serviceNamespace];
  const name = labels[REGION_LABELS.serviceName];
  return namespace && name ? `${namespace}/${name}` : undefined;
}

/** @returns the grant in the annotation; undefined when there is none that can be read */
export function grantOf({ metadata: { annotations = {} } }: Labelled): Grant | undefined {
  const text = annotations[REGION_ANNOTATIONS.grant];
  if (text === undefined) return undefined;
  try {
    const parsed = ShareGrant.safeParse(JSON.parse(text));
    return parsed.success && parsed.data.floor <= parsed.data.ceiling ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a ModelService of the city comes from the hub; either mark is enough, since people edit. */
export function isFromHub({ metadata: { labels = {}, annotations = {} } }: Labelled): boolean {
  return REGION_LABELS.fromHub in labels || REGION_ANNOTATIONS.grant in annotations;
}

/**
 * What a mirrored ModelService that is found obeys. One whose annotation was taken away obeys what its spec says, under
 * no epoch, so that whatever the hub grants next is obeyed.
 */
export function foundGrant(service: Pick<ModelService, 'metadata' | 'spec'>): Grant {
  const { replicas, autoscaling } = service.spec;
  return (
    grantOf(service) ?? {
      epoch: 0,
      session: '',
      floor: replicas,
      ceiling: Math.max(replicas, autoscaling?.maxReplicas ?? 0),
    }
  );
}

/**
 * @param grant that is obeyed, with a ceiling above 0
 * @param live the ModelService as it is in the city, if it is there
 */
export function mirrored(
  share: Pick<ModelService, 'spec'>,
  key: string,
  grant: Grant,
  live: Pick<ModelService, 'spec'> | undefined,
): MirroredService {
  const { placement: _placement, autoscaling: _autoscaling, ...content } = share.spec;
  const [namespace = '', name = ''] = key.split('/');
  const autoscaling = autoscalingFor(grant, share.spec, live?.spec);
  return {
    apiVersion: API_VERSION,
    kind: 'ModelService',
    metadata: {
      name,
      namespace,
      labels: { [REGION_LABELS.fromHub]: 'true' },
      annotations: { [REGION_ANNOTATIONS.grant]: canonicalJson(grant) },
    },
    spec: { ...content, replicas: grant.floor, ...(autoscaling ? { autoscaling } : {}) },
  };
}

/**
 * A share may carry the bounds of a grant that is not obeyed, and then no autoscaling although the grant that is obeyed
 * leaves room for some: what is there then stays.
 */
function autoscalingFor(
  { floor, ceiling }: Bounds,
  share: ModelServiceSpec,
  live: ModelServiceSpec | undefined,
): Autoscaling | undefined {
  if (floor === 0) return undefined;
  const metrics = share.autoscaling ?? (ceiling > floor ? (live?.autoscaling ?? ON_LOAD) : undefined);
  return metrics && { ...metrics, maxReplicas: ceiling };
}

const ON_LOAD = Autoscaling.parse({ maxReplicas: 1 });
