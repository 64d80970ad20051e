/**
 * The city's side of a region: it dials the hub, obeys its grants, mirrors its shares and reports. It runs beside the
 * city's own work in the leader of the operator; whatever becomes of the hub, that work goes on.
 */
import type { Logger } from 'pino';
import type { KubeClient } from '../../kube/client.ts';
import { type HubConnection, remedyFor } from '../../plan/agent/connection.ts';
import { FIRST_RHYTHM } from '../../plan/agent/heartbeat.ts';
import { isFromHub, serviceOf } from '../../plan/agent/mirror.ts';
import type { CityAddress } from '../../plan/agent/service-url.ts';
import type { Rhythm } from '../../plan/failover/rhythm.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Controller } from '../../runtime/controller.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import { parseKey } from '../../runtime/key.ts';
import type { RuntimeMetrics } from '../../runtime/metrics.ts';
import type { Stores } from '../stores.ts';
import { Dialogue } from './dialogue.ts';
import { elapsedMs } from './elapsed.ts';
import { FencedGrants } from './fenced-grants.ts';
import { Holdings } from './holdings.ts';
import { HubVoice } from './hub-voice.ts';
import { identityOf } from './identity.ts';
import type { AgentMetrics } from './metrics.ts';
import { PeerLooks } from './peer-looks.ts';
import { reportContent } from './report-content.ts';
import { SessionKeeper } from './session-keeper.ts';
import { shareReconcile } from './share-reconcile.ts';
import { Shares } from './shares.ts';

export interface AgentOptions extends CityAddress {
  /** As the CityCluster on the hub is named. */
  readonly city: string;
  /** To the city's own API server. */
  readonly client: KubeClient;
  /** To the hub, with the city's token. */
  readonly hub: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics & AgentMetrics;
  readonly events: EventRecorder;
  /** Local copies of the city, filled. */
  readonly stores: Stores;
  readonly leads: () => boolean;
  /** The operator's own namespace. */
  readonly namespace: string;
  readonly operatorVersion?: string;
  readonly newSession: () => string;
  readonly random?: () => number;
}

export class Agent {
  /** For the health check that reconciles finish. */
  readonly controller: Controller;
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #shares: Shares;
  readonly #holdings: Holdings;
  readonly #sessions: SessionKeeper;
  readonly #peers: PeerLooks;
  #dialogue: Dialogue | undefined;
  #connection: HubConnection = 'Connecting';

  constructor(options: AgentOptions) {
    const { city, clock, metrics, hub, client, stores, leads, namespace, newSession } = options;
    this.#options = options;
    this.#log = options.log.child({ agent: city });
    this.#nowMs = elapsedMs(clock);
    const rhythm = () => this.#rhythm();
    this.#shares = new Shares({ client: hub, city, clock, log: this.#log, metrics });
    this.#holdings = new Holdings(() => this.#soon());
    this.#sessions = new SessionKeeper({
      nowMs: this.#nowMs,
      rhythm,
      newId: newSession,
      onNew: () => this.#beginSession(),
    });
    this.#peers = new PeerLooks({
      city,
      clock,
      nowMs: this.#nowMs,
      rhythm,
      onNews: () => this.#dialogue?.beatSoon(),
    });
    const fenced = new FencedGrants(metrics, this.#log);
    this.controller = new Controller({
      name: 'share',
      clock,
      log: this.#log,
      metrics,
      reconcile: shareReconcile({
        client,
        clock,
        modelServices: stores.modelServices,
        shares: this.#shares,
        holdings: this.#holdings,
        session: () => this.#sessions.current(),
        leads,
        namespace,
        log: this.#log,
        onVerdict: (...verdict) => fenced.note(...verdict),
      }),
    });
    metrics.hubConnection(this.#connection);
  }

  /** Works until `signal` aborts. Never throws for anything that a hub does. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, hub, city, metrics, stores, leads, operatorVersion, random } = this.#options;
    this.#holdings.find(stores.modelServices.list());
    const installation = await identityOf(client, clock, this.#log, signal);
    if (!installation) return;
    const { identity, kubernetesVersion } = installation;
    const common = { clock, nowMs: this.#nowMs };
    const { address, endpointTemplate } = this.#options;
    this.#dialogue = new Dialogue({
      ...common,
      voice: new HubVoice({ ...common, client: hub, city, identity, metrics, rhythm: () => this.#rhythm() }),
      log: this.#log,
      random: random ?? Math.random,
      session: this.#sessions,
      content: () =>
        reportContent({
          stores,
          shares: this.#shares,
          holdings: this.#holdings,
          address: { ...(address ? { address } : {}), ...(endpointTemplate ? { endpointTemplate } : {}) },
          versions: { kubernetesVersion, ...(operatorVersion ? { operatorVersion } : {}) },
        }),
      views: () => this.#peers.views(),
      leads,
      onAnswer: ({ peers }) => this.#peers.setPeers(peers),
      onConnection: (connection, message) => this.#note(connection, message),
    });
    const disconnect = this.#connectTriggers();
    await Promise.all([
      this.#shares.run(signal),
      this.controller.run(signal),
      this.#dialogue.run(signal),
      this.#peers.run(signal),
    ]);
    disconnect();
  }

  #rhythm(): Rhythm {
    return this.#dialogue?.rhythm ?? FIRST_RHYTHM;
  }

  #soon(): void {
    this.#dialogue?.soon();
  }

  #connectTriggers(): () => void {
    const { stores } = this.#options;
    const { controller } = this;
    const ends = [
      this.#shares.store.subscribe(({ before, after }) => {
        for (const share of [before, after]) {
          const key = share && serviceOf(share);
          if (key !== undefined) controller.enqueue(parseKey(key));
        }
      }),
      stores.modelServices.subscribe(({ key, before, after }) => {
        const isConcerned = [before, after].some((service) => service && isFromHub(service));
        if (!isConcerned && !this.#holdings.get(`${key.namespace}/${key.name}`)) return;
        controller.enqueue({ ...key, cluster: '' });
        this.#soon();
      }),
      stores.pods.subscribe(() => this.#soon()),
      stores.nodes.subscribe(() => this.#soon()),
      stores.children.Service.subscribe(() => this.#soon()),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  #beginSession(): void {
    this.#options.metrics.sessionBegun();
    this.#log.info(
      'the city was out of touch with its hub: a new session begins, earlier grants are not obeyed',
    );
    this.#holdings.forgetWithdrawn((key) => !this.#options.stores.modelServices.get(parseKey(key)));
    this.#soon();
  }

  /** Tells when it changes how it stands with the hub. */
  #note(connection: HubConnection, message: string): void {
    if (connection === this.#connection) return;
    const { city, events, metrics, namespace } = this.#options;
    const wasConnected = this.#connection === 'Connected';
    this.#connection = connection;
    metrics.hubConnection(connection);
    if (connection === 'Connected') {
      this.#log.info('connected to the hub');
      // What was open before may hang without knowing it.
      if (!wasConnected) this.#shares.readAgain();
      return;
    }
    const remedy = remedyFor(connection, city);
    this.#log.warn({ connection, message, remedy }, 'the hub cannot be spoken to');
    events.record(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, namespace } },
      { type: 'Warning', reason: `Hub${connection}`, action: 'Report', note: `${message}; ${remedy}` },
    );
  }
}
