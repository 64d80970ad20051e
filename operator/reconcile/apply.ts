/** Carries out a plan. Keeps going: what fails for one object is told, and the others are done all the same. */
import { MANAGER } from '../../crds/labels.ts';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import { NAMESPACE_TERMINATING } from '../kube/errors.ts';
import type { UntypedObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import type { LiveObject } from '../plan/cluster-objects.ts';
import type {
  ApplyStep,
  DeleteStep,
  DesiredObject,
  Handover,
  Outcome,
  Step,
  StepKind,
} from '../plan/target.ts';
import { clear } from './clearance.ts';

/** Holds `spec.replicas` of a Deployment while the autoscaler decides it; see `plan/replicas.ts`. */
const REPLICAS_MANAGER = `${MANAGER}-autoscaling`;

/**
 * With this version an apply creates an object or is a conflict. The API server compares versions only when there is an
 * object, and no object has the first of all versions, which was given away before there were any.
 */
const VERSION_OF_NONE = '1';

/** What one stage waits for: pods need what they mount, and an autoscaler needs the Deployment handed over. */
const STAGES: Readonly<Record<StepKind, number>> = {
  ConfigMap: 0,
  ServiceAccount: 0,
  NetworkPolicy: 0,
  Service: 0,
  EndpointSlice: 0,
  Deployment: 1,
  HTTPRoute: 1,
  PodDisruptionBudget: 2,
  HorizontalPodAutoscaler: 2,
};

/** After all else: what is not needed follows from what was seen. */
const REMOVAL_STAGE = 3;

/** Does all steps, stage by stage, and says what became of each. Never throws. */
export async function apply(
  steps: readonly Step[],
  client: KubeClient,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const stages = Map.groupBy(steps, stageOf);
  for (const [, stage] of [...stages].sort(([a], [b]) => a - b)) {
    const isHandedOver = !outcomes.some(({ kind, step }) => kind !== 'done' && kindOf(step) === 'Deployment');
    const isSurprised = outcomes.some(({ kind }) => kind === 'conflict');
    const due = stage.filter(
      (step) => (isHandedOver || !needsDeployment(step)) && !(isSurprised && step.action === 'delete'),
    );
    outcomes.push(...(await Promise.all(due.map((step) => perform(step, client, signal)))));
  }
  return outcomes;
}

function stageOf(step: Step): number {
  return step.action === 'delete' ? REMOVAL_STAGE : STAGES[kindOf(step)];
}

/** An autoscaler that starts before the Deployment was handed over would fight with us over its replicas. */
function needsDeployment(step: Step): boolean {
  return step.action === 'apply' && kindOf(step) === 'HorizontalPodAutoscaler';
}

async function perform(step: Step, client: KubeClient, signal: AbortSignal): Promise<Outcome> {
  if (step.action === 'refuse') return { kind: 'refused', step };
  try {
    if (step.action === 'delete') await remove(step, client, signal);
    else if (step.because === 'create') return await create(step, client, signal);
    else await write(step, client, signal);
    return { kind: 'done', step };
  } catch (error) {
    return outcomeOf(error, step);
  }
}

/** The write itself meets what is there; only then is it worth a look. */
async function create(step: ApplyStep, client: KubeClient, signal: AbortSignal): Promise<Outcome> {
  try {
    await write(step, client, signal, VERSION_OF_NONE);
  } catch (error) {
    if (!isKubeError(error, 'conflict')) throw error;
    const found = await lookUp(step.object, client, signal);
    if (found) return { kind: 'conflict', step, message: saidByServer(error.message), found };
    // It is gone again, or this API server takes the version amiss.
    await write(step, client, signal);
  }
  return { kind: 'done', step };
}

async function lookUp(
  { kind, metadata: { name, namespace } }: DesiredObject,
  client: KubeClient,
  signal: AbortSignal,
): Promise<LiveObject | undefined> {
  try {
    const found = await client.get(resources[kind as StepKind], { name, namespace }, { signal });
    return { ...found, kind };
  } catch (error) {
    if (isKubeError(error, 'notFound')) return undefined;
    throw error;
  }
}

async function write(
  step: ApplyStep,
  client: KubeClient,
  signal: AbortSignal,
  version = step.onlyAtVersion,
): Promise<void> {
  const { handover, object, uid } = step;
  if (step.because !== 'create') await clear(object, client, signal);
  if (handover) await handOver(object, handover, client, signal);
  const metadata = {
    ...object.metadata,
    ...(uid ? { uid } : {}),
    ...(version ? { resourceVersion: version } : {}),
  };
  const options = { fieldManager: MANAGER, force: true, signal };
  await client.apply(resources[kindOf(step)], { ...object, metadata } as UntypedObject, options);
}

/** Lets the second manager own the present number; refused when the Deployment has changed since that was read. */
async function handOver(
  { apiVersion, kind, metadata: { name, namespace } }: ApplyStep['object'],
  { replicas, uid, resourceVersion }: Handover,
  client: KubeClient,
  signal: AbortSignal,
): Promise<void> {
  const metadata = { name, namespace, uid, resourceVersion };
  const object: UntypedObject = { apiVersion, kind, metadata, spec: { replicas } };
  await client.apply(resources.Deployment, object, { fieldManager: REPLICAS_MANAGER, force: true, signal });
}

/** Gone already is as good as deleted. */
async function remove(
  { kind, name, namespace, uid }: DeleteStep,
  client: KubeClient,
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.delete(resources[kind], { name, namespace }, { uid, signal });
  } catch (error) {
    if (!isKubeError(error, 'notFound')) throw error;
  }
}

function outcomeOf(error: unknown, step: Step): Outcome {
  if (!isKubeError(error)) return { kind: 'retry', step, message: String(error) };
  if (error.reason === NAMESPACE_TERMINATING) return { kind: 'ending', step };
  const message = saidByServer(error.message);
  switch (error.kind) {
    case 'conflict':
      return { kind: 'conflict', step, message };
    case 'terminal':
      return { kind: 'terminal', step, message };
    case 'retry':
    case 'notFound':
      return { kind: 'retry', step, message, afterSeconds: error.retryAfterSeconds };
  }
}

/** People know the object by its name; the request's verb, path and status are for the log. */
function saidByServer(message: string): string {
  return message.replace(/^[A-Z]+ \/\S+: /, '').replace(/ \(HTTP \d+\)$/, '');
}

function kindOf(step: Step): StepKind {
  return step.action === 'apply' ? (step.object.kind as StepKind) : step.kind;
}
