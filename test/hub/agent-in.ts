/** A city's operator with its agent in this process: the operator's work is limited to one namespace. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromChangingFile, fromFile } from '../../operator/kube/kubeconfig.ts';
import type { HubConnection } from '../../operator/plan/agent/connection.ts';
import type { CityAddress } from '../../operator/plan/agent/service-url.ts';
import { Agent } from '../../operator/reconcile/agent/agent.ts';
import type { AgentMetrics } from '../../operator/reconcile/agent/metrics.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { KubeEventRecorder } from '../../operator/runtime/events.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import { TestOperator } from '../api/operator-in.ts';
import type { City } from '../region/city.ts';
import type { HubByHand } from './hub-by-hand.ts';

/** Of the operator itself. */
const OWN_NAMESPACE = 'aicity-system';

/** What the agent has counted since it was started first. */
export class Counted implements AgentMetrics {
  connection: HubConnection = 'Connecting';
  readonly messages = { report: 0, heartbeat: 0, look: 0 };
  readonly grants = { obeyed: 0, fenced: 0 };
  sessions = 0;

  hubConnection(connection: HubConnection): void {
    this.connection = connection;
  }
  hubMessage(kind: keyof Counted['messages']): void {
    this.messages[kind] += 1;
  }
  sessionBegun(): void {
    this.sessions += 1;
  }
  grantJudged(judgement: keyof Counted['grants']): void {
    this.grants[judgement] += 1;
  }
}

export class TestAgent {
  readonly operator: TestOperator;
  readonly counted = new Counted();
  readonly #kubeconfigPath: string;
  readonly #city: City;
  readonly #name: string;
  readonly #address: CityAddress;
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(operator: TestOperator, city: City, hub: HubByHand, address: CityAddress) {
    this.operator = operator;
    this.#city = city;
    this.#kubeconfigPath = hub.kubeconfigPath;
    this.#name = hub.city;
    this.#address = address;
  }

  /** In a namespace of its own, for which the hub's services are then to be made. */
  static async start(city: City, hub: HubByHand, address: CityAddress = {}): Promise<TestAgent> {
    const operator = await TestOperator.start(city, hub.city);
    await city.apply(
      JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: OWN_NAMESPACE } }),
    );
    const agent = new TestAgent(operator, city, hub, address);
    agent.run();
    return agent;
  }

  get namespace(): string {
    return this.operator.namespace;
  }

  async kubectl(...args: string[]): Promise<string> {
    return await this.#city.kubectl(args);
  }

  /** `namespace/name` of a service in the city. */
  key(name: string): string {
    return `${this.namespace}/${name}`;
  }

  run(): void {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const client = new HttpKubeClient({ loadConfig: fromFile(this.#city.kubeconfigPath) });
    const hub = new HttpKubeClient({ cluster: 'hub', loadConfig: fromChangingFile(this.#kubeconfigPath) });
    const { counted } = this;
    const events = new KubeEventRecorder({
      client,
      clock,
      log,
      reportingController: 'aicity.io/operator',
      reportingInstance: 'test',
    });
    const agent = new Agent({
      ...this.#address,
      city: this.#name,
      client,
      hub,
      clock,
      log,
      metrics: {
        ...noMetrics,
        hubConnection: (connection) => counted.hubConnection(connection),
        hubMessage: (kind) => counted.hubMessage(kind),
        sessionBegun: () => counted.sessionBegun(),
        grantJudged: (judgement) => counted.grantJudged(judgement),
      },
      events,
      stores: this.operator.stores,
      leads: () => true,
      namespace: OWN_NAMESPACE,
      newSession: randomUUID,
    });
    const work = async () => {
      await agent.run(signal);
      await events.flush();
      await hub.close();
      await client.close();
    };
    this.#running = work();
  }

  /** Ends the agent alone; the city's operator goes on. */
  async halt(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async restart(): Promise<void> {
    await this.halt();
    this.run();
  }

  async stop(): Promise<void> {
    await this.halt();
    await this.operator.stop();
  }
}
