/**
 * The documents by which the API server and its clients find out what `custom.metrics.k8s.io` offers here
 * (metav1.APIGroupList, APIGroup, APIResourceList).
 */
import { REPORTED_METRICS } from './metrics.ts';

export const METRICS_GROUP = 'custom.metrics.k8s.io';
/** The preferred one first. Both carry the same values; older autoscalers know v1beta1 only. */
export const METRICS_VERSIONS = ['v1beta2', 'v1beta1'] as const;
export type MetricsVersion = (typeof METRICS_VERSIONS)[number];

export const isMetricsVersion = (version: string): version is MetricsVersion =>
  (METRICS_VERSIONS as readonly string[]).includes(version);

const versions = METRICS_VERSIONS.map((version) => ({
  groupVersion: `${METRICS_GROUP}/${version}`,
  version,
}));
const group = { name: METRICS_GROUP, versions, preferredVersion: versions[0] };

/** Of `GET /apis`. */
export const groupListDocument = { kind: 'APIGroupList', apiVersion: 'v1', groups: [group] };

/** Of `GET /apis/custom.metrics.k8s.io`. */
export const groupDocument = { kind: 'APIGroup', apiVersion: 'v1', ...group };

/** Of `GET /apis/custom.metrics.k8s.io/<version>`. @param hasServices whether metrics of whole services are offered */
export function resourceListDocument(version: MetricsVersion, hasServices = false) {
  const measured = ['pods', ...(hasServices ? ['modelservices.aicity.io'] : [])];
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: `${METRICS_GROUP}/${version}`,
    resources: measured.flatMap((resource) =>
      REPORTED_METRICS.map(({ name }) => ({
        name: `${resource}/${name}`,
        singularName: '',
        namespaced: true,
        kind: 'MetricValueList',
        verbs: ['get'],
      })),
    ),
  };
}

/** The API server merges these into its own; metrics have no schema worth publishing. */
export const openApiV2Document = {
  swagger: '2.0',
  info: { title: 'AICity custom metrics', version: METRICS_VERSIONS[0] },
  paths: {},
};
export const openApiV3Document = { paths: {} };
