/**
 * Which model a replica wants, loads and serves. Pure: `step` says what the next state is and what has to be done;
 * `model-host.ts` does it and tells the outcome as the next event.
 *
 *                       Assigned                 Loaded
 *     Idle, nothing ──────────────► Loading ──────────────► Idle, serving ──┐
 *                                   │     ▲                       ▲         │ Assigned, SourceChanged
 *                        LoadFailed │     │ RetryDue,             │ Loaded  ▼
 *                                   ▼     │ SourceChanged         └── Loading beside what is served
 *                                  Waiting
 *
 * A failed load never takes away what is served. The newest assignment wins: what is being loaded for an older one
 * is given up, and if it finishes all the same it is discarded.
 */
import type { LoadErrorReason, LoadReport } from '../../crds/load-report.ts';
import type { ModelFormat, ModelSource } from '../../crds/model-service.ts';
import type { RetryPace } from '../repository/load-error.ts';

export interface Target {
  revision: string;
  source: ModelSource;
}

/** A model that has answered its warm-up. */
export interface Served {
  revision: string;
  version?: number;
  format: ModelFormat;
  digest: string;
}

export interface Problem {
  reason: LoadErrorReason;
  message: string;
  pace: RetryPace;
}

export type Work =
  | { kind: 'Idle' }
  /** `problem`: why the try before this one failed; it stands until one succeeds or something else is wanted. */
  | { kind: 'Loading'; load: number; attempt: number; message: string; problem?: Problem }
  | { kind: 'Waiting'; load: number; attempt: number; problem: Problem };

export interface State {
  wanted?: Target;
  served?: Served;
  work: Work;
  /** Number of the newest load: outcomes of older ones come too late. */
  loads: number;
  draining: boolean;
  /** Set when TensorFlow died; nothing is served any more. */
  engineFailure?: string;
}

export type Event =
  | { kind: 'Assigned'; target: Target }
  /** A look at the volume found another version, or other files where loading had failed. */
  | { kind: 'SourceChanged' }
  | { kind: 'Progressed'; load: number; message: string }
  | { kind: 'Loaded'; load: number; served: Served }
  | { kind: 'LoadFailed'; load: number; problem: Problem }
  | { kind: 'RetryDue'; load: number }
  /** Nothing is wanted any more. */
  | { kind: 'Withdrawn' }
  | { kind: 'DrainRequested' }
  | { kind: 'EngineDied'; message: string };

export type Effect =
  | { kind: 'StartLoad'; load: number; target: Target }
  | { kind: 'AbortLoad'; load: number }
  /** New requests go to this load's model; the one before it is unloaded after its last answer. */
  | { kind: 'Swap'; load: number }
  /** What is served takes no new requests, and is unloaded after its last answer. */
  | { kind: 'Withdraw' }
  /** This load's model is not wanted any more. */
  | { kind: 'Discard'; load: number }
  | { kind: 'Retry'; load: number; afterSeconds: number };

export const initialState: State = { work: { kind: 'Idle' }, loads: 0, draining: false };

type Step = readonly [State, readonly Effect[]];

export function step(state: State, event: Event): Step {
  if (state.engineFailure !== undefined) return [state, []];
  switch (event.kind) {
    case 'Assigned':
      return assigned(state, event.target);
    case 'SourceChanged':
      if (state.draining || !state.wanted || state.work.kind === 'Loading') return [state, []];
      return startLoad(state, state.wanted, 1, problemOf(state));
    case 'Progressed':
      if (!isCurrent(state, event.load)) return [state, []];
      return [{ ...state, work: { ...state.work, message: event.message } }, []];
    case 'Loaded':
      if (!isCurrent(state, event.load)) return [state, [{ kind: 'Discard', load: event.load }]];
      return [
        { ...state, served: event.served, work: { kind: 'Idle' } },
        [{ kind: 'Swap', load: event.load }],
      ];
    case 'LoadFailed':
      return isCurrent(state, event.load) ? failed(state, state.work, event.problem) : [state, []];
    case 'RetryDue':
      if (state.work.kind !== 'Waiting' || state.work.load !== event.load || !state.wanted)
        return [state, []];
      return startLoad(state, state.wanted, state.work.attempt + 1, state.work.problem);
    case 'Withdrawn': {
      const { served: _, wanted: __, ...rest } = state;
      return [{ ...rest, work: { kind: 'Idle' } }, [...abortLoad(state), { kind: 'Withdraw' }]];
    }
    case 'DrainRequested':
      return [{ ...state, draining: true, work: { kind: 'Idle' } }, abortLoad(state)];
    case 'EngineDied': {
      const { served: _, ...rest } = state;
      return [{ ...rest, work: { kind: 'Idle' }, engineFailure: event.message }, abortLoad(state)];
    }
  }
}

function assigned(state: State, target: Target): Step {
  if (state.draining || target.revision === state.wanted?.revision) return [state, []];
  if (target.revision === state.served?.revision) {
    return [{ ...state, wanted: target, work: { kind: 'Idle' } }, abortLoad(state)];
  }
  return startLoad({ ...state, wanted: target }, target, 1);
}

function startLoad(state: State, target: Target, attempt: number, problem?: Problem): Step {
  const load = state.loads + 1;
  const message = `looking at ${target.source.uri}`;
  const work: Work = { kind: 'Loading', load, attempt, message, ...(problem && { problem }) };
  return [{ ...state, loads: load, work }, [...abortLoad(state), { kind: 'StartLoad', load, target }]];
}

function abortLoad({ work }: State): Effect[] {
  return work.kind === 'Loading' ? [{ kind: 'AbortLoad', load: work.load }] : [];
}

function failed(state: State, { load, attempt }: { load: number; attempt: number }, problem: Problem): Step {
  return [
    { ...state, work: { kind: 'Waiting', load, attempt, problem } },
    [{ kind: 'Retry', load, afterSeconds: retrySeconds(problem.pace, attempt) }],
  ];
}

function isCurrent(state: State, load: number): state is State & { work: { kind: 'Loading' } } {
  return state.work.kind === 'Loading' && state.work.load === load;
}

const PACES: Readonly<Record<RetryPace, { firstSeconds: number; longestSeconds: number }>> = {
  soon: { firstSeconds: 1, longestSeconds: 30 },
  later: { firstSeconds: 30, longestSeconds: 600 },
};

/** Pause after the given attempt: doubled each time, up to the longest. */
export function retrySeconds(pace: RetryPace, attempt: number): number {
  const { firstSeconds, longestSeconds } = PACES[pace];
  return Math.min(firstSeconds * 2 ** Math.min(attempt - 1, 16), longestSeconds);
}

/** Why the newest try to load the wanted revision that has ended failed; also while the next one goes on. */
export function problemOf({ work }: State): Problem | undefined {
  return work.kind === 'Idle' ? undefined : work.problem;
}

/** Whether requests are to be sent here. */
export function isReady(state: State): boolean {
  return state.served !== undefined && !state.draining && state.engineFailure === undefined;
}

/** Whether nothing is served yet and nothing has gone wrong: being ready may be a moment away. */
export function isStarting(state: State): boolean {
  const { served, draining, engineFailure } = state;
  return !served && !draining && engineFailure === undefined && problemOf(state) === undefined;
}

/**
 * The replica's state for its report. One that serves the wanted revision is `Serving`, even when a newer version
 * directory of it fails; `Failed` means that the wanted revision is not served and the last try went wrong.
 */
export function reportedState(state: State): LoadReport['state'] {
  if (state.engineFailure !== undefined) return 'Failed';
  if (state.draining) return 'Draining';
  if (state.served && state.served.revision === state.wanted?.revision) return 'Serving';
  if (state.work.kind === 'Waiting') return 'Failed';
  if (state.served) return 'Serving';
  return state.work.kind === 'Loading' ? 'Loading' : 'Starting';
}
