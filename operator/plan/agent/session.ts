/**
 * The session of a city: the time in which it is in touch with its hub. Whoever was out of touch for too long begins a
 * new one, and what the hub decided for an earlier session is no longer obeyed (`judgeGrant`).
 *
 * What counts is when the city spoke, not when it was answered: an answer that was long under way says nothing of now.
 */
import type { Rhythm } from '../failover/rhythm.ts';

export interface Session {
  readonly id: string;
  /** When the last message that was answered was sent; before any was, when the session began. */
  readonly answeredMs: number;
}

export type SessionInput =
  /** To be asked before every grant is judged and every message is sent. */
  | { readonly type: 'Look'; readonly nowMs: number }
  /** The hub has answered a message that was sent then. */
  | { readonly type: 'Answered'; readonly sentMs: number }
  /** What was known of the hub is lost. */
  | { readonly type: 'Restart'; readonly nowMs: number };

/**
 * @param newId name of a session that was never used before
 * @returns the same object while nothing has changed
 */
export function stepSession(
  session: Session,
  input: SessionInput,
  { sessionMs }: Pick<Rhythm, 'sessionMs'>,
  newId: () => string,
): Session {
  switch (input.type) {
    case 'Look': {
      const isOver = input.nowMs - session.answeredMs > sessionMs;
      return isOver ? beginSession(newId(), input.nowMs) : session;
    }
    case 'Answered':
      return input.sentMs > session.answeredMs ? { ...session, answeredMs: input.sentMs } : session;
    case 'Restart':
      return beginSession(newId(), input.nowMs);
  }
}

export function beginSession(id: string, nowMs: number): Session {
  return { id, answeredMs: nowMs };
}
