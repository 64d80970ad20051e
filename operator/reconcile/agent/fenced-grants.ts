import type { Logger } from 'pino';
import type { Verdict } from '../../plan/agent/obedience.ts';
import type { Grant } from '../../plan/failover/claim.ts';
import type { AgentMetrics } from './metrics.ts';

/** Counts and logs what was judged of each grant, once for each session. */
export class FencedGrants {
  readonly #metrics: AgentMetrics;
  readonly #log: Logger;
  /** By service: the last judgement. */
  readonly #last = new Map<string, string>();

  constructor(metrics: AgentMetrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  note(key: string, verdict: Verdict, { epoch, session: granted }: Grant, session: string): void {
    if (verdict === 'None' || verdict === 'AlreadyObeyed') return;
    const judged = `${verdict} ${epoch} ${session}`;
    if (this.#last.get(key) === judged) return;
    this.#last.set(key, judged);
    this.#metrics.grantJudged(verdict === 'Obey' ? 'obeyed' : 'fenced');
    if (verdict === 'OtherSession') {
      this.#log.info({ key, epoch, granted, session }, 'a grant of an earlier session is not obeyed');
    }
  }
}
