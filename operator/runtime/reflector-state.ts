/**
 * The words in which a reflector's state machine speaks: where it is, what happened, what to do.
 */
import type { KubeError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import type { SuccessEvent } from './watch-events.ts';

/** How the next full list is read: as a stream of events, in pages, or (pages expired) all at once. */
type ListMethod = 'stream' | 'pages' | 'onePage';

export interface Memory {
  /** Failures since the last connection that lasted. */
  readonly failures: number;
  readonly listBy: ListMethod;
  /** False once the server has said that it cannot stream a list. */
  readonly canStream: boolean;
}

export type ReflectorState = Memory &
  (
    | { readonly at: 'idle' }
    | { readonly at: 'paging' }
    | { readonly at: 'streaming' }
    | { readonly at: 'watching'; readonly resourceVersion: string }
    /** `resourceVersion` says where the watch can go on; without it everything is listed again. */
    | { readonly at: 'waiting'; readonly resourceVersion?: string | undefined }
    | { readonly at: 'stopped' }
  );

export type ReflectorInput =
  | { readonly type: 'start' }
  | {
      readonly type: 'page';
      readonly items: readonly KubeObject[];
      readonly continue?: string | undefined;
      readonly resourceVersion?: string | undefined;
    }
  | { readonly type: 'event'; readonly event: SuccessEvent }
  /** The server ended the watch in good order. */
  | { readonly type: 'ended'; readonly openSeconds: number }
  | { readonly type: 'failed'; readonly error: KubeError; readonly openSeconds: number }
  | { readonly type: 'elapsed' }
  | { readonly type: 'stop' };

/** A change of the local copy. What is staged shows only with `commit`, all at once. */
export type StoreCommand =
  | { readonly do: 'begin' }
  | { readonly do: 'stage'; readonly objects: readonly KubeObject[] }
  | { readonly do: 'unstage'; readonly object: KubeObject }
  | { readonly do: 'commit' }
  | { readonly do: 'set'; readonly object: KubeObject }
  | { readonly do: 'remove'; readonly object: KubeObject };

/** What to be busy with next; the present connection ends. */
export type Activity =
  | { readonly do: 'page'; readonly limit: number; readonly continue?: string | undefined }
  | { readonly do: 'watch'; readonly resourceVersion?: string; readonly sendInitialEvents: boolean }
  /** Wait for a random part of `ceilingSeconds`, but not less than `leastSeconds`. */
  | { readonly do: 'wait'; readonly ceilingSeconds: number; readonly leastSeconds: number }
  | { readonly do: 'stop' };

export interface ReflectorStep {
  readonly state: ReflectorState;
  readonly store: readonly StoreCommand[];
  /** Absent: go on with what we are doing. */
  readonly next?: Activity;
  /** Why the connection was not simply carried on, for the metrics. */
  readonly restart?: string;
}

export const initialState: ReflectorState = { at: 'idle', failures: 0, listBy: 'stream', canStream: true };
