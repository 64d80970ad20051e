/** Keeps the session that the city is in. Whoever judges a grant or sends a message asks here first. */
import { beginSession, type Session, type SessionInput, stepSession } from '../../plan/agent/session.ts';
import type { Rhythm } from '../../plan/failover/rhythm.ts';

export interface SessionKeeperOptions {
  readonly nowMs: () => number;
  readonly rhythm: () => Rhythm;
  readonly newId: () => string;
  /** Called after a new session has begun. */
  readonly onNew: () => void;
}

export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  #session: Session;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#session = beginSession(options.newId(), options.nowMs());
  }

  /** The session that the city is in at this moment. */
  current(): string {
    this.#feed({ type: 'Look', nowMs: this.#options.nowMs() });
    return this.#session.id;
  }

  /** The hub has answered what was sent then, on the clock of `nowMs`. */
  answered(sentMs: number): void {
    this.#feed({ type: 'Answered', sentMs });
  }

  #feed(input: SessionInput): void {
    const { rhythm, newId, onNew } = this.#options;
    const before = this.#session.id;
    this.#session = stepSession(this.#session, input, rhythm(), newId);
    if (this.#session.id !== before) onNew();
  }
}
