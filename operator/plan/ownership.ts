/** Whether an object that has a needed name may be written to. */
import { LABELS, MANAGER } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import type { LiveObject } from './cluster-objects.ts';
import type { RefusedStep, StepKind } from './target.ts';

/** `Former`: a remnant that the garbage collector is about to remove. */
export type Ownership = 'Ours' | 'Former' | 'Foreign';

/**
 * Ours is what this very service controls, and what carries its labels and has no controller at all: an object that
 * was orphaned, or restored from a backup. Everything else stays untouched.
 */
export function ownership({ metadata }: LiveObject, service: ModelService): Ownership {
  const controller = metadata.ownerReferences?.find((owner) => owner.controller);
  const isLabelled =
    metadata.labels?.[LABELS.managedBy] === MANAGER &&
    metadata.labels[LABELS.service] === service.metadata.name;
  const isRemnant =
    controller?.kind === 'ModelService' && controller.name === service.metadata.name && isLabelled;
  if (controller ? controller.uid === service.metadata.uid : isLabelled) {
    return metadata.deletionTimestamp === undefined ? 'Ours' : 'Former';
  }
  return isRemnant ? 'Former' : 'Foreign';
}

/** Why an object cannot be made while this one has its name; undefined when it can. */
export function refusal(live: LiveObject, service: ModelService): RefusedStep | undefined {
  const { kind, metadata } = live;
  const what = `${kind} ${metadata.namespace}/${metadata.name}`;
  const step = { action: 'refuse', kind: kind as StepKind, name: metadata.name } as const;
  switch (ownership(live, service)) {
    case 'Ours':
      return undefined;
    case 'Former':
      return { ...step, reason: 'Progressing', message: `waiting until the former ${what} is gone` };
    case 'Foreign':
      return {
        ...step,
        reason: 'NameConflict',
        message: `${what} exists already and belongs to ${ownerName(live)}: rename or remove it, or choose another name for the ModelService`,
      };
  }
}

function ownerName({ metadata }: LiveObject): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (owner) return `${owner.kind} ${owner.name}`;
  const manager = metadata.labels?.[LABELS.managedBy];
  return manager === undefined ? 'somebody else' : `${manager}`;
}
