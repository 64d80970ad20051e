/**
 * The hub's look at the whole region, again and again: soon after something has changed that concerns a service, every
 * second while anything is on its way, and else only when a city has become late or has settled, when a grace is over, or
 * when replicas have been missing for too long. Heartbeats alone, of which a large region has dozens in a second, make no look.
 */
import type { Logger } from 'pino';
import { isLookDue, isQuiet } from '../../plan/failover/due.ts';
import type { CityKnowledge } from '../../plan/failover/records.ts';
import { lookAtRegion, type RegionOutcome } from '../../plan/failover/region.ts';
import { type Rhythm, rhythmFor, settingsFor } from '../../plan/failover/rhythm.ts';
import { awakeSince, type CitySight, sightsOf } from '../../plan/failover/sights.ts';
import { touchedBy } from '../../plan/failover/touched.ts';
import { shortestGraceMs } from '../../plan/hub/intent.ts';
import { type Pace, paced } from '../../plan/hub/pace.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Cities } from './cities.ts';
import type { HubClock } from './hub-clock.ts';
import type { Services } from './services.ts';

const LEAST_BETWEEN_SECONDS = 0.2;
/** In a large region looks take long; what they decide must be stored in between. */
const BETWEEN_PER_LOOK = 3;
const MOST_BETWEEN_SECONDS = 2;
const TICK_SECONDS = 1;
const RESTLESS_MS = 950;
/** A hub that has not looked for so long takes nobody's silence for what it may have missed itself. */
const PAUSE_MS = 5_000;
const DEFAULT_GRACE_MS = 90_000;

export interface LookingTools {
  readonly clock: Clock;
  readonly hubClock: Pick<HubClock, 'nowMs'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly cities: Pick<Cities, 'knowledge'>;
  readonly services: Pick<Services, 'all' | 'intents' | 'decided'>;
  /** Told after each look: what is to be stored. */
  onLook(outcome: RegionOutcome, before: ReadonlyMap<string, CitySight>): void;
  /** Told when there was nothing to decide: cities may have said something that only people want to know. */
  onGlance(): void;
}

export class Looking {
  readonly #tools: LookingTools;
  #touched: Set<string> | 'All' = 'All';
  #isWoken = true;
  #wake: () => void = () => {};
  #awakeSinceMs: number | undefined;
  #tickedAtMs = 0;
  #lookedAtMs = 0;
  #isRestless = true;
  #dueAtMs = Number.POSITIVE_INFINITY;
  /** As the last look saw them. */
  readonly #seen = new Map<string, CityKnowledge>();
  #sights: ReadonlyMap<string, CitySight> = new Map();
  /** By the last look. */
  #decided: RegionOutcome['records'] = new Map();
  #pace: Pace = { told: rhythmFor(DEFAULT_GRACE_MS), expected: rhythmFor(DEFAULT_GRACE_MS) };

  constructor(tools: LookingTools) {
    this.#tools = tools;
  }

  /** Of the last look. */
  get sights(): ReadonlyMap<string, CitySight> {
    return this.#sights;
  }

  /** What the cities are told. */
  get told(): Rhythm {
    return this.#pace.told;
  }

  /** What is expected of them. */
  get expected(): Rhythm {
    return this.#pace.expected;
  }

  touch(key: string): void {
    if (this.#touched !== 'All') this.#touched.add(key);
    this.soon();
  }

  touchAll(): void {
    this.#touched = 'All';
    this.soon();
  }

  /** Something may concern a service; many of these are one look. */
  soon(): void {
    this.#isWoken = true;
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedSeconds = this.#tools.clock.monotonicSeconds();
      this.#tick();
      const tookSeconds = this.#tools.clock.monotonicSeconds() - startedSeconds;
      const between = Math.min(MOST_BETWEEN_SECONDS, BETWEEN_PER_LOOK * tookSeconds);
      const pauseSeconds = Math.max(LEAST_BETWEEN_SECONDS, between);
      await this.#tools.clock.sleep(pauseSeconds, signal);
      if (!this.#isWoken && !signal.aborted) await this.#untilDue(TICK_SECONDS - pauseSeconds, signal);
    }
  }

  /** @param most after so many seconds, or when the next look is due, or somebody wakes it up */
  #untilDue(most: number, signal: AbortSignal): Promise<void> {
    const seconds = Math.max(0, Math.min(most, (this.#dueAtMs - this.#tools.hubClock.nowMs()) / 1000));
    const waking = new AbortController();
    this.#wake = () => {
      // To abort again is not free, and there may be thousands of reasons to wake up once.
      this.#wake = () => {};
      waking.abort();
    };
    return this.#tools.clock.sleep(seconds, AbortSignal.any([signal, waking.signal]));
  }

  #tick(): void {
    const { hubClock, cities, log } = this.#tools;
    const nowMs = hubClock.nowMs();
    const awakeMs = awakeSince(this.#awakeSinceMs, this.#tickedAtMs, nowMs, PAUSE_MS);
    if (this.#awakeSinceMs !== undefined && awakeMs !== this.#awakeSinceMs) {
      log.warn({ pausedMs: nowMs - this.#tickedAtMs }, 'the hub was stopped for a while and listens anew');
      this.#touched = 'All';
    }
    this.#awakeSinceMs = awakeMs;
    this.#tickedAtMs = nowMs;
    this.#isWoken = false;
    const known = cities.knowledge();
    this.#noteChanges(known);
    const sights = sightsOf(known, nowMs, awakeMs, settingsFor(this.#pace.expected));
    if (this.#isDue(sights, nowMs)) this.#look(known, sights, nowMs);
    else this.#glance(sights);
    // The time that the look itself took is no pause: what came in meanwhile is heard before the next one.
    this.#tickedAtMs = hubClock.nowMs();
  }

  /** Nothing is to be decided. */
  #glance(sights: ReadonlyMap<string, CitySight>): void {
    this.#sights = sights;
    this.#tools.onGlance();
  }

  #isDue(sights: ReadonlyMap<string, CitySight>, nowMs: number): boolean {
    // What is only on its way can wait for the next second.
    const isRestless = this.#isRestless && nowMs - this.#lookedAtMs >= RESTLESS_MS;
    const last = { isRestless, dueAtMs: this.#dueAtMs, sights: this.#sights };
    const isPaced = paced(this.#pace, this.#pace.told, nowMs) !== this.#pace;
    return isPaced || isLookDue(last, sights, this.#touched, nowMs);
  }

  #look(known: readonly CityKnowledge[], sights: ReadonlyMap<string, CitySight>, nowMs: number): void {
    const { services, onLook } = this.#tools;
    this.#lookedAtMs = nowMs;
    this.#pace = paced(this.#pace, rhythmFor(shortestGraceMs(services.intents())), nowMs);
    const touched = this.#touched;
    this.#touched = new Set();
    const outcome = lookAtRegion({
      nowMs,
      awakeSinceMs: this.#awakeSinceMs!,
      settings: settingsFor(this.#pace.expected),
      cities: known,
      services: services.all(),
      ...(touched === 'All' ? {} : { touched }),
      isQuiet: isQuiet({ records: this.#decided, sights: this.#sights }, sights, touched),
    });
    this.#decided = outcome.records;
    this.#isRestless = outcome.isRestless;
    this.#dueAtMs = outcome.dueAtMs;
    for (const [key, record] of outcome.records) services.decided(key, record);
    const before = this.#sights;
    this.#sights = outcome.sights;
    onLook(outcome, before);
  }

  #noteChanges(cities: readonly CityKnowledge[]): void {
    const names = new Set(cities.map(({ name }) => name));
    for (const name of this.#seen.keys()) {
      if (names.has(name)) continue;
      this.#seen.delete(name);
      this.#touched = 'All';
    }
    for (const city of cities) {
      const before = this.#seen.get(city.name);
      if (before === city) continue;
      this.#seen.set(city.name, city);
      const touched = touchedBy(before, city, this.#awakeSinceMs!);
      if (touched === 'All') this.#touched = 'All';
      else if (this.#touched !== 'All') for (const key of touched) this.#touched.add(key);
    }
  }
}
