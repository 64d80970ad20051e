/**
 * A city: an agent that obeys grants and reports, and a cluster that starts and ends pods as the grants say. The agent
 * decides with the operator's own pure code (operator/plan/agent) which session it is in and which grants it obeys.
 */
import { isWithdrawn, verdictOn } from '../../../operator/plan/agent/obedience.ts';
import {
  beginSession,
  type Session,
  type SessionInput,
  stepSession,
} from '../../../operator/plan/agent/session.ts';
import type { ClaimReport, Grant } from '../../../operator/plan/failover/claim.ts';
import type { Rhythm } from '../../../operator/plan/failover/rhythm.ts';
import type { Demand } from '../../../operator/plan/placement/city.ts';
import { LINGER_SECONDS } from '../../../operator/reconcile/agent/share-reconcile.ts';
import type { Agenda } from './agenda.ts';
import type { Grants, Report } from './messages.ts';
import { HUB, type Network } from './network.ts';
import type { Random } from './random.ts';

export interface CityWorld {
  readonly agenda: Agenda;
  readonly network: Network;
  readonly random: Random;
  readonly rhythm: Rhythm;
  readonly trace: (text: string) => void;
  demandOf(service: string): Demand;
  deliverToHub(report: Report): void;
  peersOf(city: string): readonly SimulatedCity[];
  /** Told before a city ends replicas because it was told to. */
  onObey(city: SimulatedCity, service: string, before: Grant | undefined, grant: Grant): void;
}

interface Pod {
  /** Undefined while no node has room for it. */
  startedAtMs?: number;
  readyAtMs?: number;
}

interface Held {
  grant: Grant;
  pods: Pod[];
  /** Withdrawn, and answering on until then: clients are on their way elsewhere. */
  lingersUntilMs?: number;
}

const REPORT_SOON_MS = 200;
const LINGER_MS = LINGER_SECONDS * 1000;

export class SimulatedCity {
  readonly name: string;
  readonly #world: CityWorld;
  capacity: Readonly<Record<string, number>>;
  isUp = true;
  isPaused = false;
  /** Pods start and do not become ready. */
  isUnfit = false;
  readonly held = new Map<string, Held>();
  /** How often what is granted has changed. */
  heldVersion = 0;
  /** Replicas that the load needs, by service. */
  readonly needed = new Map<string, number>();
  #sessions = 0;
  #sequence = 0;
  readonly #sentAtMs = new Map<number, number>();
  #session: Session = beginSession('', 0);
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #isReportDue = false;
  readonly #views = new Map<string, { sees: boolean; atMs: number }>();
  #inbox: Grants[] = [];

  constructor(name: string, capacity: Readonly<Record<string, number>>, world: CityWorld) {
    this.name = name;
    this.capacity = capacity;
    this.#world = world;
  }

  get session(): string {
    return this.#session.id;
  }

  start(): void {
    this.#restart();
    const { agenda, random, rhythm } = this.#world;
    const everyMs = rhythm.heartbeatMs / 3;
    const look = (): void => {
      this.#look();
      agenda.after(everyMs, look);
    };
    agenda.after(random.fraction() * everyMs, look);
    this.#reportSoon();
  }

  /** Whether the city answers others. */
  get isAlive(): boolean {
    return this.isUp && !this.isPaused;
  }

  /** The whole city goes down; what was agreed stays on its disks. */
  lose(): void {
    this.isUp = false;
    for (const held of this.held.values()) held.pods = [];
    this.#inbox = [];
  }

  recover(): void {
    this.isUp = true;
    this.#views.clear();
    this.#restart();
    this.#settle();
  }

  /** From now on nothing that starts becomes ready; what is ready stays so. */
  becomeUnfit(): void {
    this.isUnfit = true;
  }

  becomeFit(): void {
    this.isUnfit = false;
    for (const held of this.held.values()) {
      held.pods = held.pods.map((pod) => (pod.readyAtMs === Number.POSITIVE_INFINITY ? {} : pod));
    }
    this.#settle();
  }

  /** The agent is replaced: it finds what was agreed and begins a new session. */
  restartAgent(): void {
    this.#restart();
  }

  /** The city is installed anew: nothing of what was agreed is left. */
  reinstall(): void {
    this.held.clear();
    this.heldVersion++;
    this.#restart();
  }

  pause(): void {
    this.isPaused = true;
  }

  /** Goes on as if no time had passed, with all that was waiting at its door. */
  resume(): void {
    this.isPaused = false;
    const waiting = this.#inbox;
    this.#inbox = [];
    for (const message of waiting) this.receive(message);
    this.#look();
  }

  receive(message: Grants): void {
    if (!this.isUp) return;
    if (this.isPaused) {
      this.#inbox.push(message);
      return;
    }
    this.#keepSession();
    const sentMs = message.answers === undefined ? undefined : this.#sentAtMs.get(message.answers);
    if (sentMs !== undefined) this.#feed({ type: 'Answered', sentMs });
    const obeyed = [...message.grants].filter(([service, grant]) => this.#obeys(service, grant));
    if (obeyed.length === 0) return;
    this.#settle();
    this.#reportSoon();
  }

  changeCapacity(capacity: Readonly<Record<string, number>>): void {
    this.capacity = capacity;
    this.#settle();
    this.#reportSoon();
  }

  setNeeded(service: string, replicas: number): void {
    this.needed.set(service, replicas);
    if (this.held.has(service)) this.#settle();
  }

  /** Pods that exist, and those of them that are ready. */
  podsOf(service: string): { running: number; ready: number } {
    const { nowMs } = this.#world.agenda;
    let running = 0;
    let ready = 0;
    for (const { startedAtMs, readyAtMs = Number.POSITIVE_INFINITY } of this.held.get(service)?.pods ?? []) {
      if (startedAtMs !== undefined) running++;
      if (readyAtMs <= nowMs) ready++;
    }
    return { running, ready };
  }

  #obeys(service: string, grant: Grant): boolean {
    const before = this.held.get(service)?.grant;
    if (verdictOn(before, grant, this.session) !== 'Obey') return false;
    this.#world.onObey(this, service, before, grant);
    this.#world.trace(`${this.name} obeys ${service} #${grant.epoch}: ${grant.floor}–${grant.ceiling}`);
    const pods = this.held.get(service)?.pods ?? [];
    this.held.set(service, { grant, pods, ...this.#lingering(grant, pods) });
    this.heldVersion++;
    return true;
  }

  #lingering({ ceiling }: Grant, pods: readonly Pod[]): Pick<Held, 'lingersUntilMs'> {
    if (ceiling > 0 || pods.length === 0) return {};
    const { agenda } = this.#world;
    agenda.after(LINGER_MS, () => {
      this.#settle();
      this.#reportSoon();
    });
    return { lingersUntilMs: agenda.nowMs + LINGER_MS };
  }

  /** As many pods as the load needs between floor and ceiling; what is not ready ends first. */
  #settle(): void {
    if (!this.isUp) return;
    for (const [service, { grant, pods, lingersUntilMs = 0 }] of this.held) {
      if (this.#world.agenda.nowMs < lingersUntilMs) continue;
      const wanted = Math.min(grant.ceiling, Math.max(grant.floor, this.needed.get(service) ?? 0));
      while (pods.length < wanted) pods.push({});
      if (pods.length === wanted) continue;
      pods.sort((a, b) => (a.readyAtMs ?? Infinity) - (b.readyAtMs ?? Infinity));
      pods.length = wanted;
    }
    this.#schedule();
  }

  /** The city's own scheduler: pods start where there is room, and lose their place when the city shrinks. */
  #schedule(): void {
    const free = new Map(Object.entries(this.capacity));
    const { agenda, random } = this.#world;
    for (const isStarted of [true, false]) {
      for (const [service, { pods }] of this.held) {
        const demand = this.#world.demandOf(service);
        for (const pod of pods) {
          if ((pod.startedAtMs !== undefined) !== isStarted) continue;
          const hasRoom = demand.every(({ resource, amount }) => (free.get(resource) ?? 0) + 1e-6 >= amount);
          if (!hasRoom) {
            delete pod.startedAtMs;
            delete pod.readyAtMs;
            continue;
          }
          for (const { resource, amount } of demand) free.set(resource, free.get(resource)! - amount);
          if (isStarted) continue;
          const startMs = random.whole(2_000, 15_000);
          pod.startedAtMs = agenda.nowMs;
          pod.readyAtMs = this.isUnfit ? Number.POSITIVE_INFINITY : agenda.nowMs + startMs;
          agenda.after(startMs, () => this.#reportSoon());
        }
      }
    }
  }

  #look(): void {
    if (!this.isAlive) return;
    this.#keepSession();
    this.#settle();
    this.#lookAround();
    const { nowMs } = this.#world.agenda;
    if (nowMs - this.#reportedAtMs >= this.#world.rhythm.heartbeatMs) this.#report();
  }

  #lookAround(): void {
    const { agenda, network, peersOf } = this.#world;
    for (const peer of peersOf(this.name)) {
      const sees = peer.isAlive && network.isOpen(this.name, peer.name);
      if (this.#views.get(peer.name)?.sees !== sees) this.#reportSoon();
      this.#views.set(peer.name, { sees, atMs: agenda.nowMs });
    }
  }

  #keepSession(): void {
    this.#feed({ type: 'Look', nowMs: this.#world.agenda.nowMs });
  }

  #restart(): void {
    this.#feed({ type: 'Restart', nowMs: this.#world.agenda.nowMs });
  }

  #feed(input: SessionInput): void {
    const before = this.session;
    const newId = () => `${this.name}-${++this.#sessions}`;
    this.#session = stepSession(this.#session, input, this.#world.rhythm, newId);
    if (this.session === before) return;
    this.heldVersion++;
    // What was withdrawn need not be remembered any longer: no grant of an earlier session is obeyed.
    for (const [key, { grant }] of this.held) if (isWithdrawn(grant)) this.held.delete(key);
    this.#reportSoon();
  }

  #reportSoon(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    this.#world.agenda.after(REPORT_SOON_MS, () => {
      this.#isReportDue = false;
      if (this.isAlive) this.#report();
    });
  }

  #report(): void {
    const { agenda, network, rhythm } = this.#world;
    this.#keepSession();
    this.#reportedAtMs = agenda.nowMs;
    this.#sequence++;
    this.#sentAtMs.set(this.#sequence, agenda.nowMs);
    const report: Report = {
      city: this.name,
      session: this.session,
      sequence: this.#sequence,
      capacity: this.capacity,
      claims: new Map([...this.held].map(([key, { grant }]) => [key, this.#claimOf(key, grant)])),
      views: new Map(
        [...this.#views].map(([peer, { sees, atMs }]) => [peer, { sees, ageMs: agenda.nowMs - atMs }]),
      ),
    };
    network.send(this.name, HUB, () => this.#world.deliverToHub(report));
    agenda.after(rhythm.heartbeatMs / 4, () => this.#repeat(report.sequence));
    agenda.after(rhythm.heartbeatMs, () => this.#beat(report.sequence));
  }

  /** Says that it is there when it has said nothing since. */
  #beat(sequence: number): void {
    if (sequence === this.#sequence && this.isAlive) this.#report();
  }

  /** Speaks again when the last report was not answered. */
  #repeat(sequence: number): void {
    const isAnswered = this.#session.answeredMs >= this.#sentAtMs.get(sequence)!;
    if (sequence === this.#sequence && !isAnswered) this.#reportSoon();
  }

  #claimOf(service: string, { epoch, floor, ceiling }: Grant): ClaimReport {
    const needed = this.needed.get(service) ?? 0;
    const { running, ready } = this.podsOf(service);
    // Nobody is to count on what was withdrawn.
    return { epoch, floor, ceiling, running, ready: ceiling > 0 ? ready : 0, needed };
  }
}
