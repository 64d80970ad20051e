/**
 * How a local copy of a kind is kept, as a state machine: what to do next, given where we are and what happened.
 * It is pure; the driver in `reflector.ts` talks to the server and the clock.
 *
 *   idle ─► streaming ──bookmark──► watching ──410──► streaming …
 *             │ refused               ▲  ▲ └─ended─┐
 *             ▼                       │  └─────────┘
 *           paging ────last page──────┘       any failure ─► waiting ─► where it can go on
 */
import type { KubeError } from '../kube/errors.ts';
import { type BackoffPolicy, backoffCeilingSeconds } from './backoff.ts';
import type {
  Memory,
  ReflectorInput,
  ReflectorState,
  ReflectorStep,
  StoreCommand,
} from './reflector-state.ts';
import { badResponse, initialEventsEnd, type SuccessEvent, silence, unreadable } from './watch-events.ts';

/** client-go's reflector waits 0.8 s at first and 30 s at most. */
const reflectorBackoff: BackoffPolicy = { baseSeconds: 0.8, maxSeconds: 30 };

const pageSize = 500;
/** A connection that lasted this long shows that the server is well again. */
const lastingSeconds = 10;
/** A watch that ends sooner was not worth opening; opening it again at once would be a busy loop. */
const shortestWatchSeconds = 1;
/** After so many refusals to go on from a version, that version is given up. */
const mostResumes = 5;

export function step(state: ReflectorState, input: ReflectorInput): ReflectorStep {
  if (state.at === 'stopped') return stay(state);
  switch (input.type) {
    case 'start':
      return list(state);
    case 'page':
      return state.at === 'paging' ? page(state, input) : stay(state);
    case 'event':
      return event(state, input.event);
    case 'ended':
      return ended(state, input.openSeconds);
    case 'failed':
      return failed(state, input.error, input.openSeconds);
    case 'elapsed':
      if (state.at !== 'waiting') return stay(state);
      return state.resourceVersion === undefined ? list(state) : watch(state, state.resourceVersion);
    case 'stop':
      return { state: { ...memory(state), at: 'stopped' }, store: [], next: { do: 'stop' } };
  }
}

/** Lists ask for the newest state and never for an older one, so the copy cannot go back in time. */
function list(from: Memory): ReflectorStep {
  const store: StoreCommand[] = [{ do: 'begin' }];
  switch (from.listBy) {
    case 'stream':
      return {
        state: { ...memory(from), at: 'streaming' },
        store,
        next: { do: 'watch', sendInitialEvents: true },
      };
    case 'pages':
      return { state: { ...memory(from), at: 'paging' }, store, next: { do: 'page', limit: pageSize } };
    case 'onePage':
      return { state: { ...memory(from), at: 'paging' }, store, next: { do: 'page', limit: 0 } };
  }
}

function watch(from: Memory, resourceVersion: string): ReflectorStep {
  return {
    state: { ...memory(from), at: 'watching', resourceVersion },
    store: [],
    next: { do: 'watch', resourceVersion, sendInitialEvents: false },
  };
}

function page(state: ReflectorState, input: ReflectorInput & { type: 'page' }): ReflectorStep {
  const stage: StoreCommand = { do: 'stage', objects: input.items };
  if (input.continue) {
    return { state, store: [stage], next: { do: 'page', limit: pageSize, continue: input.continue } };
  }
  if (!input.resourceVersion) return failed(state, badResponse('the list has no resourceVersion'), 0);
  return { ...watch(listed(state), input.resourceVersion), store: [stage, { do: 'commit' }] };
}

function event(state: ReflectorState, change: SuccessEvent): ReflectorStep {
  switch (state.at) {
    case 'streaming':
      return eventOfList(state, change);
    case 'watching':
      return eventOfWatch(state, change);
    case 'idle':
    case 'paging':
    case 'waiting':
    case 'stopped':
      return stay(state);
  }
}

function eventOfList(state: ReflectorState, { type, object }: SuccessEvent): ReflectorStep {
  const { resourceVersion, annotations } = object.metadata;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return stay(state, { do: 'stage', objects: [object] });
    case 'DELETED':
      return stay(state, { do: 'unstage', object });
    case 'BOOKMARK':
      if (annotations?.[initialEventsEnd] !== 'true' || !resourceVersion) return stay(state);
      return stay({ ...listed(state), at: 'watching', resourceVersion }, { do: 'commit' });
  }
}

function eventOfWatch(
  state: ReflectorState & { at: 'watching' },
  { type, object }: SuccessEvent,
): ReflectorStep {
  const moved = { ...state, resourceVersion: object.metadata.resourceVersion ?? state.resourceVersion };
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return stay(moved, { do: 'set', object });
    case 'DELETED':
      return stay(moved, { do: 'remove', object });
    case 'BOOKMARK':
      return stay(moved);
  }
}

/** Mostly the time limit that we asked for: the watch goes on where it was. */
function ended(state: ReflectorState, openSeconds: number): ReflectorStep {
  switch (state.at) {
    case 'watching': {
      if (openSeconds >= shortestWatchSeconds)
        return watch(calmed(state, openSeconds), state.resourceVersion);
      return wait(counted(state, openSeconds), {
        resourceVersion: state.resourceVersion,
        reason: 'ShortWatch',
      });
    }
    case 'streaming':
      // A server that does not know streaming lists ends without the closing bookmark.
      return wait({ ...counted(state, openSeconds), listBy: 'pages' }, { reason: 'NoBookmark' });
    case 'idle':
    case 'paging':
    case 'waiting':
    case 'stopped':
      return stay(state);
  }
}

function failed(state: ReflectorState, error: KubeError, openSeconds: number): ReflectorStep {
  const from = counted(state, openSeconds);
  const { reason, retryAfterSeconds } = error;
  switch (state.at) {
    case 'streaming':
      if (error.kind === 'terminal')
        return { ...list({ ...from, canStream: false, listBy: 'pages' }), restart: reason };
      return wait(shunsStreaming(error) ? { ...from, listBy: 'pages' } : from, {
        reason,
        retryAfterSeconds,
      });
    case 'paging':
      return wait(error.status === 410 ? { ...from, listBy: 'onePage' } : from, {
        reason,
        retryAfterSeconds,
      });
    case 'watching': {
      const { resourceVersion } = state;
      if (canResume(error, from.failures)) return wait(from, { reason, retryAfterSeconds, resourceVersion });
      if (error.status === 410 && from.failures === 1) return { ...list(from), restart: reason };
      return wait(from, { reason, retryAfterSeconds });
    }
    case 'idle':
    case 'waiting':
    case 'stopped':
      return stay(state);
  }
}

/**
 * Overload, a server that restarts, a broken network or refused credentials say nothing about the version, so the
 * watch can go on from it. Anything else may mean that the server does not have that version: 410 (too old), 504
 * (too new, after a restored backup), 400, 404, an event that cannot be read; and so may any answer that is
 * repeated again and again.
 */
function canResume(error: KubeError, failures: number): boolean {
  const answered = error.status > 0;
  if (answered && failures > mostResumes) return false;
  if (error.reason === unreadable) return false;
  return (
    !answered || [401, 403, 408, 429].includes(error.status) || (error.status >= 500 && error.status !== 504)
  );
}

/** Signs that a streamed list does not get through, though pages may. */
function shunsStreaming({ reason }: KubeError): boolean {
  return reason === unreadable || reason === silence;
}

function wait(
  from: Memory,
  {
    resourceVersion,
    reason,
    retryAfterSeconds = 0,
  }: { resourceVersion?: string; reason: string; retryAfterSeconds?: number | undefined },
): ReflectorStep {
  return {
    state: { ...memory(from), at: 'waiting', resourceVersion },
    store: [],
    next: {
      do: 'wait',
      ceilingSeconds: backoffCeilingSeconds(from.failures, reflectorBackoff),
      leastSeconds: retryAfterSeconds,
    },
    restart: reason,
  };
}

const stay = (state: ReflectorState, ...store: StoreCommand[]): ReflectorStep => ({ state, store });

const memory = ({ failures, listBy, canStream }: Memory): Memory => ({ failures, listBy, canStream });

/** After a complete list, the next one may be tried in the best way again. */
const listed = (from: Memory): Memory => ({ ...memory(from), listBy: from.canStream ? 'stream' : 'pages' });

const calmed = (from: Memory, openSeconds: number): Memory =>
  openSeconds >= lastingSeconds ? { ...memory(from), failures: 0 } : memory(from);

const counted = (from: Memory, openSeconds: number): Memory => {
  const before = calmed(from, openSeconds);
  return { ...before, failures: before.failures + 1 };
};
