/**
 * What the runtime counts, told to whoever keeps the numbers. Nothing here may throw.
 */

/** How a reconcile ended; `panic` is an error that no code expected. */
export type ReconcileOutcome = 'done' | 'again' | 'retry' | 'conflict' | 'terminal' | 'panic';

export const reconcileOutcomes: readonly ReconcileOutcome[] = [
  'done',
  'again',
  'retry',
  'conflict',
  'terminal',
  'panic',
];

export interface RuntimeMetrics {
  /** Called once per controller, so that every series exists from the start. */
  controllerStarted(controller: string, queue: { readonly depth: number; readonly active: number }): void;
  reconciled(controller: string, outcome: ReconcileOutcome, seconds: number): void;
  /** Called once per reflector. */
  reflectorStarted(reflector: Watched, view: { staleSeconds(): number; readonly size: number }): void;
  /** A watch had to be opened or a list read again, for a reason other than the server's time limit. */
  watchRestarted(reflector: Watched, reason: string): void;
  leading(leader: boolean): void;
}

export interface Watched {
  readonly cluster: string;
  readonly kind: string;
}

export const noMetrics: RuntimeMetrics = {
  controllerStarted() {},
  reconciled() {},
  reflectorStarted() {},
  watchRestarted() {},
  leading() {},
};
