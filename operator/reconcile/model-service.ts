/** One look at one ModelService: observe, plan, apply, tell. */
import type { Logger } from 'pino';
import type { KubeClient } from '../kube/client.ts';
import { type NextLook, nextLook } from '../plan/next-look.ts';
import { plan } from '../plan/plan.ts';
import { summarise } from '../plan/status.ts';
import type { Outcome } from '../plan/target.ts';
import { again, done, type Reconcile, type ReconcileResult } from '../runtime/controller.ts';
import { keyString } from '../runtime/key.ts';
import { apply } from './apply.ts';
import { type ObserveSources, observe, unseen } from './observe.ts';
import type { StatusWriter } from './status-writer.ts';

export interface ModelServiceTools extends ObserveSources {
  readonly client: KubeClient;
  readonly statusWriter: StatusWriter;
  readonly log: Logger;
}

export function modelServiceReconcile(tools: ModelServiceTools): Reconcile {
  const { client, log, statusWriter, stores } = tools;
  return async (key, signal) => {
    const service = stores.modelServices.get(key);
    // Children of a service that is being deleted are the garbage collector's.
    if (!service || service.metadata.deletionTimestamp !== undefined) return done;
    let observed = observe(service, tools);
    let target = plan(service, observed);
    const strangers = await unseen(target.steps, client, signal);
    if (strangers.length > 0) {
      observed = { ...observed, children: [...observed.children, ...strangers] };
      target = plan(service, observed);
    }
    const outcomes = await apply(target.steps, client, signal);
    logOutcomes(outcomes, log.child({ key: keyString(key) }));
    const status = summarise(service, observed, target, outcomes);
    const loadLook = await statusWriter.write(service, status, signal);
    return earliest([nextLook(observed, target, outcomes), loadLook]);
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
