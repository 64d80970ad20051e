/** Containers that do not come up, as the kubelet tells it. */
import type { ContainerStatus } from '../cluster-objects.ts';
import { containerOf, creatingSince, DELAYED_AFTER_SECONDS, secondsSince } from '../pods.ts';
import type { Replica } from '../replica.ts';
import type { Situation } from '../situation.ts';
import { ofReplicas, quoted } from '../wording.ts';
import type { Check } from './finding.ts';

const PULL_FAILURES: ReadonlySet<string | undefined> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
  'ImageInspectError',
  'SignatureValidationFailed',
]);

const CONFIG_FAILURES: ReadonlySet<string | undefined> = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

export const imagePullFailed: Check = ({ replicas, wanted }) => {
  const failing = waitingFor(replicas, PULL_FAILURES);
  const [first] = failing;
  if (!first) return undefined;
  const { image = 'the image', state } = first;
  const who = ofReplicas(failing.length, wanted, 'cannot start', 'cannot start');
  return {
    about: 'Pods',
    reason: 'ImagePullFailed',
    message: `${who}: the image ${image} cannot be pulled (${quoted(state?.waiting?.message, state?.waiting?.reason)}); check its name and whether the node may pull it`,
  };
};

export const containerConfigInvalid: Check = ({ replicas, wanted }) => {
  const failing = waitingFor(replicas, CONFIG_FAILURES);
  const [first] = failing;
  if (!first) return undefined;
  const who = ofReplicas(failing.length, wanted, 'cannot start', 'cannot start');
  return {
    about: 'Pods',
    reason: 'ContainerConfigInvalid',
    message: `${who}: the kubelet refuses the container (${quoted(first.state?.waiting?.message, first.state?.waiting?.reason)}); check spec.podTemplate and what it refers to`,
  };
};

export const outOfMemory: Check = ({ replicas, service, wanted }) => {
  const killed = replicas.filter(
    (replica) => !replica.verified && lastExit(replica)?.reason === 'OOMKilled' && !hasReported(replica),
  );
  if (killed.length === 0) return undefined;
  const limit = service.spec.resources?.limits?.memory;
  const remedy =
    limit === undefined
      ? 'the node ran out of memory, so set spec.resources.requests.memory to what the model needs'
      : `raise spec.resources.limits.memory, which is ${limit}`;
  return {
    about: 'Pods',
    reason: 'OutOfMemory',
    message: `${ofReplicas(killed.length, wanted, 'was', 'were')} killed for using too much memory; ${remedy}`,
  };
};

export const crashLoop: Check = ({ replicas, wanted }) => {
  const crashing = replicas.filter(
    (replica) => !replica.verified && !hasReported(replica) && isCrashing(replica),
  );
  const [first] = crashing;
  if (!first) return undefined;
  const { exitCode, message, signal } = lastExit(first) ?? {};
  const how = signal ? `signal ${signal}` : `exit code ${exitCode ?? 'unknown'}`;
  const restarts = containerOf(first.pod)?.restartCount ?? 0;
  const who = ofReplicas(crashing.length, wanted, 'keeps exiting', 'keep exiting');
  const words = message === undefined ? '' : `: ${quoted(message)}`;
  return {
    about: 'Pods',
    reason: 'CrashLoop',
    message: `${who} with ${how} (${restarts} restarts of pod ${first.pod.metadata.name})${words}; kubectl logs --previous ${first.pod.metadata.name} shows its last words`,
  };
};

/**
 * Pods that have long had a node and still no container. Why is told in events alone, which the operator does not read:
 * mostly a volume that cannot be mounted.
 */
export const containerDelayed: Check = ({ observed, replicas, wanted }) => {
  const delayed = replicas.filter(({ pod }) => {
    const since = creatingSince(pod);
    return since !== undefined && secondsSince(since, observed.now) >= DELAYED_AFTER_SECONDS;
  });
  const [first] = delayed;
  if (!first) return undefined;
  const { name } = first.pod.metadata;
  return {
    about: 'Pods',
    reason: 'PodsStarting',
    message: `${ofReplicas(delayed.length, wanted, 'has', 'have')} a node but no container for more than a minute; kubectl describe pod ${name} says what it waits for, mostly a volume or a claim`,
  };
};

/** Pods that the kubelet has thrown out are replaced by others, which may meet the same end. */
export const evicted: Check = ({ observed, ready, wanted }: Situation) => {
  const gone = observed.pods.filter(
    ({ status }) => status?.phase === 'Failed' && status.reason === 'Evicted',
  );
  const newest = gone.sort((a, b) =>
    (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1,
  )[0];
  if (!newest || ready >= wanted) return undefined;
  return {
    about: 'Pods',
    reason: 'CrashLoop',
    message: `${gone.length === 1 ? '1 pod was' : `${gone.length} pods were`} evicted from the node: ${quoted(newest.status?.message)}`,
  };
};

function waitingFor(
  replicas: readonly Replica[],
  reasons: ReadonlySet<string | undefined>,
): ContainerStatus[] {
  return replicas
    .map(({ pod }) => containerOf(pod))
    .filter((container) => container !== undefined && reasons.has(container.state?.waiting?.reason ?? ''))
    .filter((container) => container !== undefined);
}

function lastExit({ pod }: Replica) {
  const container = containerOf(pod);
  return container?.state?.terminated ?? container?.lastState?.terminated;
}

function isCrashing({ pod }: Replica): boolean {
  const container = containerOf(pod);
  if (container?.state?.waiting?.reason === 'CrashLoopBackOff') return true;
  return container?.state?.terminated !== undefined || (container?.restartCount ?? 0) >= 2;
}

/** A container that has come back and reports has more to say about itself than its predecessor's exit. */
function hasReported({ pod, report }: Replica): boolean {
  return report !== undefined && containerOf(pod)?.state?.running !== undefined;
}
