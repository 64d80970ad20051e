/** One look at one ModelService: observe, plan, apply, tell. */
import type { Logger } from 'pino';
import type { ModelService } from '../../crds/model-service.ts';
import { cityNamespace } from '../../crds/region.ts';
import type { KubeClient } from '../kube/client.ts';
import type { LiveObject } from '../plan/cluster-objects.ts';
import { type NextLook, nextLook } from '../plan/next-look.ts';
import { plan } from '../plan/plan.ts';
import { summarise } from '../plan/status.ts';
import type { Outcome, Step } from '../plan/target.ts';
import { again, done, type Reconcile, type ReconcileResult } from '../runtime/controller.ts';
import { keyString } from '../runtime/key.ts';
import { apply } from './apply.ts';
import { type ObserveSources, observe } from './observe.ts';
import { OwnCreations } from './own-creations.ts';
import { lookAtPlaced } from './placed-service.ts';
import type { StatusWriter } from './status-writer.ts';

export interface ModelServiceTools extends ObserveSources {
  readonly client: KubeClient;
  readonly statusWriter: StatusWriter;
  readonly log: Logger;
  /** Whether this cluster places services over cities. */
  readonly isHub?: boolean;
}

export function modelServiceReconcile(tools: ModelServiceTools): Reconcile {
  const { client, log, statusWriter, stores } = tools;
  const creations = new OwnCreations(tools);
  return async (key, signal) => {
    const service = stores.modelServices.get(key);
    // Children of a service that is being deleted are the garbage collector's.
    if (!service || service.metadata.deletionTimestamp !== undefined) return done;
    if (isForCities(service, tools)) return lookAtPlaced(service, tools, signal);
    const { uid } = service.metadata;
    const waitSeconds = creations.secondsToWait(uid);
    if (waitSeconds > 0) return again(waitSeconds, 'what was just created is not in the local copy yet');
    let observed = observe(service, tools);
    let target = plan(service, observed);
    let outcomes = await apply(target.steps, client, signal);
    // Somebody else's, which carries none of our labels, or ours that has not reached the local copy.
    const inTheWay = outcomes.flatMap((outcome) =>
      outcome.kind === 'conflict' && outcome.found ? [outcome.found] : [],
    );
    if (inTheWay.length > 0) {
      observed = { ...observed, children: [...observed.children, ...inTheWay] };
      target = plan(service, observed);
      const isConcerned = concerns(inTheWay);
      const rest = target.steps.filter((step) => step.action === 'delete' || isConcerned(step));
      const second = await apply(rest, client, signal);
      outcomes = [...outcomes.filter(({ step }) => !isConcerned(step)), ...second];
    }
    creations.note(uid, outcomes);
    logOutcomes(outcomes, log.child({ key: keyString(key) }));
    const status = summarise(service, observed, target, outcomes);
    const loadLook = await statusWriter.write(service, status, signal);
    return earliest([nextLook(observed, target, outcomes), loadLook]);
  };
}

/** Placed over cities; or in the namespace of a city, where nothing but shares can be meant. */
function isForCities({ metadata, spec }: ModelService, { isHub = false }: ModelServiceTools): boolean {
  return spec.placement !== undefined || (isHub && metadata.namespace.startsWith(cityNamespace('')));
}

/** Whether a step is about one of these objects. */
function concerns(objects: readonly LiveObject[]): (step: Step) => boolean {
  const names = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
  return (step) => {
    const { kind, name } =
      step.action === 'apply' ? { kind: step.object.kind, name: step.object.metadata.name } : step;
    return names.has(`${kind} ${name}`);
  };
}

function earliest(looks: readonly (NextLook | undefined)[]): ReconcileResult {
  const [first] = looks.filter((look) => look !== undefined).sort((a, b) => a.afterSeconds - b.afterSeconds);
  return first ? again(first.afterSeconds, first.reason) : done;
}

function logOutcomes(outcomes: readonly Outcome[], log: Logger): void {
  for (const outcome of outcomes) {
    const { step } = outcome;
    const fields =
      step.action === 'apply'
        ? { kind: step.object.kind, name: step.object.metadata.name, because: step.because }
        : {
            kind: step.kind,
            name: step.name,
            because: step.action === 'delete' ? step.because : step.reason,
          };
    switch (outcome.kind) {
      case 'done':
        log.info(fields, step.action === 'apply' ? 'object applied' : 'object deleted');
        break;
      case 'ending':
        log.debug(fields, 'object cannot be made, since its namespace is being deleted');
        break;
      case 'conflict':
        log.debug({ ...fields, message: outcome.message }, 'object has changed meanwhile');
        break;
      case 'retry':
        log.warn({ ...fields, message: outcome.message }, 'object could not be written');
        break;
      case 'terminal':
        log.error({ ...fields, message: outcome.message }, 'object is refused');
        break;
      case 'refused':
        log.warn({ ...fields, message: step.action === 'refuse' ? step.message : '' }, 'name is taken');
        break;
    }
  }
}
