/**
 * A share: what one city is given of a service. It is a ModelService in the city's namespace on the hub, a projection of
 * what the service's record says of the city, written only after the record has been stored.
 */
import { createHash } from 'node:crypto';
import { API_VERSION, type ModelService, type ModelServiceSpec } from '../../../crds/model-service.ts';
import { cityNamespace, REGION_ANNOTATIONS, REGION_LABELS, ShareGrant } from '../../../crds/region.ts';
import { canonicalJson } from '../canonical-json.ts';
import { type Grant, NOTHING_GRANTED } from '../failover/claim.ts';

/** Room for a dash and eight digits in a name of fifty characters. */
const MAX_STEM_LENGTH = 41;

/** The same for ever, different for every two services: it begins as the service does and ends in a hash of its key. */
export function shareName(key: string): string {
  const name = key.slice(key.indexOf('/') + 1);
  const stem = name.slice(0, MAX_STEM_LENGTH).replace(/-+$/, '');
  return `${stem}-${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
}

export interface ShareObject {
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

/**
 * @param key of the service: namespace and name
 * @param spec of the service, or of the share as it is when the service is gone
 */
export function shareOf(key: string, spec: ModelServiceSpec, city: string, grant: Grant): ShareObject {
  const [serviceNamespace = '', serviceName = ''] = key.split('/');
  return {
    apiVersion: API_VERSION,
    kind: 'ModelService',
    metadata: {
      name: shareName(key),
      namespace: cityNamespace(city),
      labels: {
        [REGION_LABELS.city]: city,
        [REGION_LABELS.serviceNamespace]: serviceNamespace,
        [REGION_LABELS.serviceName]: serviceName,
      },
      annotations: { [REGION_ANNOTATIONS.grant]: grantText(grant) },
    },
    spec: shareSpec(spec, grant),
  };
}

/** The annotation in one spelling, so that equal grants are equal texts. */
export function grantText({ epoch, session, floor, ceiling }: Grant): string {
  return canonicalJson({ epoch, session, floor, ceiling });
}

/**
 * An autoscaler needs a replica to begin with; without one the grant alone tells how far the city may go. With one its
 * metrics are there even without room above the floor, since the city measures by them what it would need.
 */
function shareSpec(
  { placement: _, autoscaling, ...spec }: ModelServiceSpec,
  { floor, ceiling }: Grant,
): ModelServiceSpec {
  return {
    ...spec,
    replicas: floor,
    ...(autoscaling && floor > 0
      ? { autoscaling: { ...autoscaling, maxReplicas: Math.max(floor, ceiling) } }
      : {}),
  };
}

/** What is read of a share that exists. */
export interface LiveShare {
  readonly city: string;
  /** Of the service that it is a part of. */
  readonly key: string;
  readonly grant: Grant;
}

/** @returns undefined for what is no share, or in another city's namespace */
export function readShare({
  metadata: { namespace, labels = {}, annotations = {} },
}: Pick<ModelService, 'metadata'>): LiveShare | undefined {
  const city = labels[REGION_LABELS.city];
  const serviceNamespace = labels[REGION_LABELS.serviceNamespace];
  const name = labels[REGION_LABELS.serviceName];
  if (!city || !serviceNamespace || !name || cityNamespace(city) !== namespace) return undefined;
  return {
    city,
    key: `${serviceNamespace}/${name}`,
    grant: readGrant(annotations[REGION_ANNOTATIONS.grant]),
  };
}

/** What cannot be read is no grant. */
function readGrant(text: string | undefined): Grant {
  if (text === undefined) return NOTHING_GRANTED;
  try {
    return ShareGrant.safeParse(JSON.parse(text)).data ?? NOTHING_GRANTED;
  } catch {
    return NOTHING_GRANTED;
  }
}

/** Nothing is to run, now and later. */
export function isWithdrawn({ floor, ceiling }: Pick<Grant, 'floor' | 'ceiling'>): boolean {
  return floor === 0 && ceiling === 0;
}
