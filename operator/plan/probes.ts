/** How the kubelet looks at a model server. */
import { HTTP_PORT_NAME } from './ports.ts';

const get = (path: string) => ({ httpGet: { path, port: HTTP_PORT_NAME } });

/**
 * - startup: loading TensorFlow itself can take a minute on a busy node; ten are allowed before a restart is tried.
 * - liveness: true while a model loads, however large it is, so a slow load is never a reason to restart.
 * - readiness: true once the model has answered an inference, false while the server drains. A server that starts holds
 *   the answer until then, so that it is told at once; two seconds at most, which leaves one of the three for the way.
 *
 * Where a replica starts or becomes ready, clients wait: the kubelet looks every second.
 */
export const PROBES = {
  startupProbe: { ...get('/v2/health/live'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 600 },
  livenessProbe: { ...get('/v2/health/live'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  readinessProbe: {
    ...get('/v2/health/ready?waitSeconds=2'),
    ...{ periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 6 },
  },
} as const;

/**
 * Before SIGTERM the pod waits this long, while every proxy forgets its address. The kubelet does the waiting, so that
 * the image needs no shell.
 */
export const PRE_STOP_SECONDS = 5;

/** Waiting, then finishing what is in flight. */
export const TERMINATION_GRACE_SECONDS = 75;
