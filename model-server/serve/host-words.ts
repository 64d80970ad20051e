/** What a host tells of its model: to people, to the repository index and to the operator. Pure. */
import type { LoadReport } from '../../crds/load-report.ts';
import { type HostedModel, servingOf } from './hosted-model.ts';
import { type Problem, problemOf, reportedState, type State } from './lifecycle.ts';

/** How a version is, in Triton's words, with UNLOADING for one that finishes its last requests. */
export type ModelState = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';

/** One version of a model as the repository index lists it. */
export interface ModelEntry {
  readonly name: string;
  /** Absent while it is not known yet: before the address has been looked at. */
  readonly version?: string;
  readonly state: ModelState;
  /** Why it is not ready, in a sentence; empty when it is. */
  readonly reason: string;
}

export interface HostView {
  readonly name: string;
  readonly state: State;
  /** What requests go to. */
  readonly current: HostedModel | undefined;
  /** Replaced, and in memory until their last answers. */
  readonly retired: Iterable<HostedModel>;
}

/** What is served, what is coming and what is going. */
export function entriesOf({ name, state, current, retired }: HostView): ModelEntry[] {
  const { work, engineFailure, wanted, draining } = state;
  const entry = (how: ModelState, reason: string, version?: number): ModelEntry => ({
    ...{ name, state: how, reason },
    ...(version === undefined ? {} : { version: String(version) }),
  });
  const entries: ModelEntry[] = [];
  if (current) {
    const version = current.version ?? 1;
    if (draining) entries.push(entry('UNLOADING', 'the server is draining', version));
    else entries.push(entry('READY', '', version));
  }
  if (work.kind === 'Loading') entries.push(entry('LOADING', work.message, wanted?.source.version));
  else if (engineFailure !== undefined || !current || work.kind === 'Waiting') {
    entries.push(entry('UNAVAILABLE', whyNotServing(state), wanted?.source.version));
  }
  for (const { version } of retired) {
    entries.push(entry('UNLOADING', 'its last requests are being answered', version ?? 1));
  }
  return entries;
}

/** What a person reads when nothing is served. */
export function whyNotServing({ engineFailure, work, wanted, loads }: State): string {
  if (engineFailure !== undefined) return engineFailure;
  switch (work.kind) {
    case 'Loading':
      return work.problem
        ? `it is being loaded again (${work.message}), after this: ${work.problem.message}`
        : `it is being loaded (${work.message})`;
    case 'Waiting':
      return `it cannot be loaded: ${work.problem.message}`;
    case 'Idle':
      if (wanted) return 'it is not loaded';
      return loads > 0 ? 'it was unloaded by request' : 'no model has been assigned yet';
  }
}

/** As long as a load report takes. */
const MOST_CHARACTERS = 1024;

/** The model's part of a load report. */
export function reportOf(
  state: State,
  current: HostedModel | undefined,
): Pick<LoadReport, 'state' | 'serving' | 'loading' | 'error'> {
  const { wanted, work, engineFailure } = state;
  const problem: Pick<Problem, 'reason' | 'message'> | undefined =
    engineFailure !== undefined ? { reason: 'EngineFailed', message: engineFailure } : problemOf(state);
  const revision = wanted?.revision ?? '';
  const said = (message: string) => message.slice(0, MOST_CHARACTERS);
  return {
    state: reportedState(state),
    ...(current ? { serving: servingOf(current) } : {}),
    ...(work.kind === 'Loading' ? { loading: { revision, message: said(work.message) } } : {}),
    ...(problem ? { error: { revision, reason: problem.reason, message: said(problem.message) } } : {}),
  };
}
