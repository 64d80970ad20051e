/**
 * What a model-server pod is given and what it gives back: the agreement between the operator's plan and the model
 * server. Both sides import it, so neither can drift.
 */
import * as z from 'zod';
import { ModelSource, Serving } from './model-service.ts';

/** Audience of the projected token that a pod reports with; a token for any other audience is refused. */
export const REPORT_AUDIENCE = 'aicity.io/reports';
/** Path of `POST` for load reports on the operator's TLS port. */
export const REPORT_PATH = '/v1/reports';
export const REPORT_INTERVAL_SECONDS = 2;
/** A replica whose last report is older than this is unknown, never healthy. */
export const REPORT_STALE_AFTER_SECONDS = 10;

export const HTTP_PORT = 8080;
export const GRPC_PORT = 9000;

/** Environment variables that the operator sets on the model-server container. */
export const POD_ENV = {
  service: 'AICITY_SERVICE',
  assignmentFile: 'AICITY_ASSIGNMENT_FILE',
  cacheDirectory: 'AICITY_CACHE_DIRECTORY',
  reportUrl: 'AICITY_REPORT_URL',
  reportCaFile: 'AICITY_REPORT_CA_FILE',
  reportTokenFile: 'AICITY_REPORT_TOKEN_FILE',
  podName: 'AICITY_POD_NAME',
  podNamespace: 'AICITY_POD_NAMESPACE',
  podUid: 'AICITY_POD_UID',
} as const;

/** Files and directories inside the model-server container. */
export const POD_PATHS = {
  configDirectory: '/etc/aicity',
  assignmentFile: '/etc/aicity/assignment.json',
  caFile: '/etc/aicity/ca.crt',
  tokenDirectory: '/var/run/secrets/aicity.io',
  tokenFile: '/var/run/secrets/aicity.io/token',
  /** The Secret of `spec.model.credentialsSecretRef`, one file for each key. */
  credentialsDirectory: '/var/run/secrets/aicity-model',
  cacheDirectory: '/var/cache/aicity',
  temporaryDirectory: '/tmp',
  /** `pvc://CLAIM/PATH` is read from `${volumesDirectory}/CLAIM/PATH`. */
  volumesDirectory: '/mnt/models',
} as const;

/** Keys of the ConfigMap `<service>-model` that is mounted at `POD_PATHS.configDirectory`. */
export const CONFIG_MAP_KEYS = { assignment: 'assignment.json', ca: 'ca.crt' } as const;

/**
 * What a pod is to serve now. It stands in the ConfigMap, so that a pod can start while the operator is away, and in
 * every reply to a report, so that a change takes effect within one report interval and without a restart.
 */
export const ModelAssignment = z.object({
  /** Identity of the wanted model: the same for equal sources, another for any other source. */
  revision: z.string().regex(/^[0-9a-f]{10}$/),
  model: ModelSource,
  serving: Serving,
});
export type ModelAssignment = z.infer<typeof ModelAssignment>;
