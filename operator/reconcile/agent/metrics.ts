import type { HubConnection } from '../../plan/agent/connection.ts';

/** What the agent counts, told to whoever keeps the numbers. */
export interface AgentMetrics {
  hubConnection(connection: HubConnection): void;
  /** A message to the hub that was answered. `look`: what the hub holds was in doubt and was read. */
  hubMessage(kind: HubMessage): void;
  sessionBegun(): void;
  /** Once per grant and session. */
  grantJudged(judgement: GrantJudgement): void;
}

export type HubMessage = 'report' | 'heartbeat' | 'look';
export type GrantJudgement = 'obeyed' | 'fenced';
