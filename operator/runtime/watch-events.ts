/**
 * What comes out of a watch, before it is believed.
 */
import { errorFromStatus, isKubeError, KubeError } from '../kube/errors.ts';
import type { KubeObject, WatchEvent } from '../kube/objects.ts';

export type SuccessEvent = Exclude<WatchEvent<KubeObject>, { type: 'ERROR' }>;

/** The annotation of the bookmark that closes a streamed list. */
export const initialEventsEnd = 'k8s.io/initial-events-end';

/** Reasons of errors that the server does not send. */
export const silence = 'Silence';
export const unreadable = 'BadResponse';

/**
 * The event, when it is one that can be worked with.
 *
 * @throws KubeError for an `ERROR` event the server's error, for anything unheard of `BadResponse`
 */
export function believed(event: WatchEvent<KubeObject>): SuccessEvent {
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      if (!isNamed(event.object)) throw badResponse(`a watch event of type ${event.type} has no object`);
      return event;
    case 'BOOKMARK':
      if (!event.object?.metadata) throw badResponse('a bookmark has no metadata');
      return event;
    case 'ERROR':
      throw errorFromStatus(event.object.code ?? 500, event.object, 'watch');
    default:
      throw badResponse(`unknown watch event type ${JSON.stringify((event as { type: unknown }).type)}`);
  }
}

export function isNamed(object: KubeObject | undefined): boolean {
  return typeof object?.metadata?.name === 'string';
}

/** The bookmark at the end of a list comes once, and says nothing about whether more will. */
export function isPeriodicBookmark({ type, object }: SuccessEvent): boolean {
  return type === 'BOOKMARK' && object.metadata.annotations?.[initialEventsEnd] === undefined;
}

export function badResponse(message: string): KubeError {
  return new KubeError({ kind: 'retry', status: 0, reason: unreadable, message });
}

/** The connection looks open, but nothing has come for longer than the server ever keeps silent. */
export function silentError(seconds: number): KubeError {
  const message = `nothing was heard from the API server for ${seconds} s`;
  return new KubeError({ kind: 'retry', status: 0, reason: silence, message });
}

/** A client throws nothing else; but whatever it is, it must not end the watch for good. */
export function asKubeError(error: unknown): KubeError {
  return isKubeError(error) ? error : badResponse(`unexpected: ${error}`);
}
