/**
 * Calls `reconcile(key)` for every key that needs a look, and again when the result asks for it.
 */
import type { Key } from './key.ts';

/** What a reconcile hands back: nothing more to do, or when to look again and why. */
export type ReconcileResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly afterSeconds: number; readonly reason: string };

export const done: ReconcileResult = Object.freeze({ kind: 'done' });

/** Look again after some time without waiting for a change; `reason` goes to the log. */
export function again(afterSeconds: number, reason: string): ReconcileResult {
  return { kind: 'again', afterSeconds, reason };
}

/**
 * Makes the world match what is wanted for one key. It is told a name and not what happened: it reads the whole
 * state each time. At most one call is in flight per key. It must end soon after `signal` aborts.
 *
 * Throwing asks for a retry with growing delay; a `KubeError` of kind `terminal`, or a `TerminalError`, is logged
 * and counted, and the key waits for its next change.
 */
export type Reconcile = (key: Key, signal: AbortSignal) => Promise<ReconcileResult>;

/** Throw it when only a change of the object can help. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface Controller {
  readonly name: string;
  /** Asks for a look at this key; many calls before the look are one look. */
  enqueue(key: Key): void;
  /** Works until `signal` aborts, then waits for the reconciles in flight. */
  run(signal: AbortSignal): Promise<void>;
}
