/** How the kubelet looks at a model server. */
import { HTTP_PORT_NAME } from './ports.ts';

const get = (path: string) => ({ httpGet: { path, port: HTTP_PORT_NAME } });

/**
 * - readiness: true once the model has answered an inference, false while the server drains. Where a replica becomes ready,
 *   clients wait: the kubelet looks every second, and a server that starts holds the answer until it can say yes, two
 *   seconds at most, which leaves one of the three for the way.
 * - liveness: true while a model loads, however large it is, so a slow load is never a reason to restart. Nor is a slow
 *   start of the process: it has three minutes until a restart is tried.
 *
 * No startup probe: readiness would be asked for only when that has succeeded, and often a turn after.
 */
export const PROBES = {
  readinessProbe: {
    ...get('/v2/health/ready?waitSeconds=2'),
    ...{ periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 6 },
  },
  livenessProbe: {
    ...get('/v2/health/live'),
    ...{ initialDelaySeconds: 120, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  },
} as const;

/**
 * Before SIGTERM the pod waits this long, while every proxy forgets its address. The kubelet does the waiting, so that
 * the image needs no shell.
 */
export const PRE_STOP_SECONDS = 5;

/** Waiting, then finishing what is in flight. */
export const TERMINATION_GRACE_SECONDS = 75;
