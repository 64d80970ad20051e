/**
 * Kubernetes events (`kubectl describe`): short notes for people about one object.
 */
import type { KubeObject } from '../kube/objects.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, from a documented list. */
  readonly reason: string;
  /** What the operator did or tried, UpperCamelCase: `Reconcile`, `ScaleUp`. */
  readonly action: string;
  /** A sentence for people; cut at 1024 bytes. */
  readonly note: string;
}

/**
 * Never throws and never blocks: an event that cannot be written is logged and forgotten. Repetitions become one
 * event with a count.
 */
export interface EventRecorder {
  record(regarding: KubeObject, event: EventNote): void;
  /** Resolves when everything recorded so far is written or given up. */
  flush(): Promise<void>;
}
