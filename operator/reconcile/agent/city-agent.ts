/** The agent as a part of the operator: with a client of its own, and never in the way of the rest. */
import { HttpKubeClient } from '../../kube/http-client.ts';
import { fromChangingFile } from '../../kube/kubeconfig.ts';
import type { CityAddress } from '../../plan/agent/service-url.ts';
import type { Controller } from '../../runtime/controller.ts';
import { Agent, type AgentOptions } from './agent.ts';
import { ServiceExports } from './service-exports.ts';

/** What the installation says of the city. */
export interface CityRole extends CityAddress {
  readonly name: string;
  /** File with the hub's address and the city's token; read anew when it changes. */
  readonly hubKubeconfig: string;
}

export interface CityAgent {
  /** For the health check that reconciles finish. Nothing else of the agent is a matter of health: hubs go away. */
  readonly controllers: readonly Controller[];
  /** Works until `signal` aborts; never throws. */
  run(signal: AbortSignal): Promise<void>;
}

/** @param role undefined for a cluster that is no city */
export function createCityAgent(
  role: CityRole | undefined,
  tools: Omit<AgentOptions, 'city' | 'hub' | keyof CityAddress>,
): CityAgent {
  if (!role) return { controllers: [], run: async () => {} };
  const { name, hubKubeconfig, ...address } = role;
  const hub = new HttpKubeClient({
    cluster: 'hub',
    loadConfig: fromChangingFile(hubKubeconfig),
    maxCalls: 4,
  });
  const agent = new Agent({ ...tools, ...address, city: name, hub });
  const { client, clock, log, metrics, stores } = tools;
  const exports = new ServiceExports({ client, clock, log, metrics, modelServices: stores.modelServices });
  const told = async (work: Promise<void>, what: string) => {
    try {
      await work;
    } catch (err) {
      log.error({ err }, `${what} by an error that no code expected; the city goes on alone`);
    }
  };
  return {
    controllers: [agent.controller],
    async run(signal) {
      await Promise.all([
        told(agent.run(signal), 'the agent has ended'),
        told(exports.run(signal), 'the export of services has ended'),
      ]);
      await hub.close();
    },
  };
}
