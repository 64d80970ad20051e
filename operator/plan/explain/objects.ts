/** A spec that cannot be followed, and objects that could not be written. */
import { modelAddress } from '../model-address.ts';
import type { Outcome, Step } from '../target.ts';
import { quoted } from '../wording.ts';
import type { Check } from './finding.ts';

/** The API server would refuse it today, but it was stored before. */
export const addressInvalid: Check = ({ service }) => {
  const address = modelAddress(service);
  return 'problem' in address
    ? { about: 'Objects', reason: 'InvalidSpec', message: address.problem }
    : undefined;
};

/** Nothing can be made any more, and nothing is wrong with that. */
export const namespaceEnding: Check = ({ outcomes, service }) => {
  const ending = outcomes.find(({ kind }) => kind === 'ending');
  if (!ending) return undefined;
  const message = `namespace ${service.metadata.namespace} is being deleted and this service with it, so ${nameOf(ending.step)} is not made again`;
  return { about: 'Objects', reason: 'Progressing', message };
};

/** The API server refuses an object for good, or somebody else's object stands in its place. */
export const objectsRefused: Check = ({ outcomes }) => {
  for (const outcome of outcomes) {
    if (outcome.kind === 'terminal') {
      const message = `${nameOf(outcome.step)} is refused: ${quoted(outcome.message)}; correct the field of the ModelService that it comes from`;
      return { about: 'Objects', reason: 'InvalidSpec', message };
    }
    if (outcome.kind === 'refused' && outcome.step.reason === 'NameConflict') {
      return { about: 'Objects', reason: 'NameConflict', message: outcome.step.message };
    }
  }
  return undefined;
};

/** What will be tried again: the API server was away, or the remains of a predecessor are. */
export const objectsPending: Check = ({ outcomes }) => {
  const failed = outcomes.find((outcome) => outcome.kind === 'retry');
  if (failed) {
    const message = `${nameOf(failed.step)} could not be written: ${quoted(failed.message)}; the operator tries again`;
    return { about: 'Objects', reason: 'ApplyFailed', message };
  }
  const waiting = outcomes.find(
    (outcome): outcome is Extract<Outcome, { kind: 'refused' }> => outcome.kind === 'refused',
  );
  return waiting && { about: 'Objects', reason: 'Progressing', message: waiting.step.message };
};

function nameOf(step: Step): string {
  return step.action === 'apply'
    ? `${step.object.kind} ${step.object.metadata.namespace}/${step.object.metadata.name}`
    : `${step.kind} ${step.name}`;
}
