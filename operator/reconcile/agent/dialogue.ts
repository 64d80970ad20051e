/**
 * The rhythm in which the city speaks: at once when something has happened that the hub should know, a while later when
 * only figures have moved, and every heartbeat in any case. One message is under way at a time.
 */
import type { Logger } from 'pino';
import type { CityViews } from '../../../crds/region.ts';
import { connectionAfter, type HubConnection } from '../../plan/agent/connection.ts';
import { FIRST_RHYTHM, type HubAnswer, hubAnswer } from '../../plan/agent/heartbeat.ts';
import type { ReportContent } from '../../plan/agent/report.ts';
import type { Rhythm } from '../../plan/failover/rhythm.ts';
import { backoffSeconds } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { DisplacedError, failureOf, type HubVoice } from './hub-voice.ts';

export interface DialogueOptions {
  readonly voice: HubVoice;
  readonly clock: Clock;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly random: () => number;
  readonly session: { current(): string; answered(sentMs: number): void };
  readonly content: () => ReportContent;
  readonly views: () => CityViews;
  /** False once another process may speak for the city. */
  readonly leads: () => boolean;
  readonly onAnswer: (answer: HubAnswer) => void;
  readonly onConnection: (connection: HubConnection, message: string) => void;
}

/** Things that happen together are told together. */
const SOON_SECONDS = 0.1;
/** Between two reports, so that a replica that has become ready is soon told of. */
const REPORT_EVERY_SECONDS = 0.25;
/** Where things go on happening: at most so many reports in so many seconds. */
const MOST_REPORTS = 6;
const MOST_REPORTS_SECONDS = 3;
/** Between two reports in which only figures have moved. */
const LOAD_EVERY_SECONDS = 15;

export class Dialogue {
  readonly #options: DialogueOptions;
  #rhythm: Rhythm = FIRST_RHYTHM;
  #failures = 0;
  /** Something may have changed since the last look. */
  #isLookDue = true;
  /** Figures have moved and wait for their turn. */
  #isLoadWaiting = false;
  /** To be said with a heartbeat, report or not. */
  #isNews = true;
  #spokeAtMs = Number.NEGATIVE_INFINITY;
  /** Of the latest reports, the oldest first. */
  #reportedAtMs: readonly number[] = new Array(MOST_REPORTS).fill(Number.NEGATIVE_INFINITY);
  #wake: () => void = () => {};

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  get rhythm(): Rhythm {
    return this.#rhythm;
  }

  /** Something may have happened that the hub should know. */
  soon(): void {
    this.#isLookDue = true;
    this.#wake();
  }

  /** What other cities look like has changed: said with a heartbeat. */
  beatSoon(): void {
    this.#isNews = true;
    this.soon();
  }

  /** Speaks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { leads } = this.#options;
    while (!signal.aborted) {
      await this.#untilDue(signal);
      if (signal.aborted || !leads()) continue;
      this.#isLookDue = false;
      await this.#speak(signal);
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    if (this.#failures > 0) {
      const ceiling = this.#rhythm.heartbeatMs / 2000;
      const policy = { baseSeconds: Math.min(1, ceiling), maxSeconds: ceiling };
      await clock.sleep(Math.max(SOON_SECONDS, backoffSeconds(this.#failures, policy, random)), signal);
      return;
    }
    if (!this.#isLookDue) await this.#sleep(this.#secondsToNextLook(), signal);
    await clock.sleep(SOON_SECONDS, signal);
    const restSeconds = this.#secondsToNextReport();
    if (restSeconds > 0) await clock.sleep(restSeconds, signal);
  }

  #secondsToNextReport(): number {
    const atMs = Math.max(
      this.#lastReportMs + REPORT_EVERY_SECONDS * 1000,
      this.#reportedAtMs[0]! + MOST_REPORTS_SECONDS * 1000,
    );
    return (atMs - this.#options.nowMs()) / 1000;
  }

  get #lastReportMs(): number {
    return this.#reportedAtMs.at(-1)!;
  }

  /** The next heartbeat, or figures that have waited long enough. */
  #secondsToNextLook(): number {
    const { nowMs } = this.#options;
    const beatAtMs = this.#spokeAtMs + this.#rhythm.heartbeatMs - SOON_SECONDS * 1000;
    const loadAtMs = this.#isLoadWaiting ? this.#lastReportMs + LOAD_EVERY_SECONDS * 1000 : beatAtMs;
    return Math.max(0, Math.min(beatAtMs, loadAtMs) - nowMs()) / 1000;
  }

  /** Sleeps, or until somebody has news. */
  async #sleep(seconds: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const end = () => woken.abort();
    this.#wake = end;
    signal.addEventListener('abort', end, { once: true });
    await this.#options.clock.sleep(seconds, woken.signal);
    signal.removeEventListener('abort', end);
    this.#wake = () => {};
  }

  async #speak(signal: AbortSignal): Promise<void> {
    const { onConnection } = this.#options;
    try {
      if (!(await this.#tell(signal))) return;
      this.#failures = 0;
      onConnection('Connected', '');
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      const failure = failureOf(error);
      if (failure instanceof DisplacedError) {
        this.#rhythm = failure.rhythm;
        onConnection('Displaced', failure.message);
      }
      // Somebody wrote the report meanwhile: it is read again.
      else if (failure.kind !== 'conflict') onConnection(connectionAfter(failure), failure.message);
    }
  }

  /** @returns whether the hub has answered; false when there was nothing to say */
  async #tell(signal: AbortSignal): Promise<boolean> {
    const { voice, session, content, nowMs, views, onAnswer } = this.#options;
    const body = content();
    const isBeatDue = this.#isNews || nowMs() - this.#spokeAtMs >= this.#rhythm.heartbeatMs - 1;
    const urgency = voice.urgencyOf(session.current(), body);
    const isLoadDue = urgency === 'Load' && nowMs() - this.#lastReportMs >= LOAD_EVERY_SECONDS * 1000;
    const isReportDue = urgency === 'Urgent' || isLoadDue;
    this.#isLoadWaiting = urgency === 'Load' && !isLoadDue;
    if (!isReportDue && !isBeatDue && this.#failures === 0) return false;
    await voice.claim(signal);
    if (isReportDue) {
      await voice.report(session.current(), body, signal);
      this.#reportedAtMs = [...this.#reportedAtMs.slice(1), nowMs()];
    }
    const isNews = this.#isNews;
    this.#isNews = false;
    const sentMs = nowMs();
    const lease = await voice.beat(views(), signal).catch((error: unknown) => {
      this.#isNews ||= isNews;
      throw error;
    });
    if (!lease) {
      // Claimed again at once: mostly it was the hub who wrote.
      this.#isNews = true;
      this.#isLookDue = true;
      return false;
    }
    this.#spokeAtMs = sentMs;
    session.answered(sentMs);
    const answer = hubAnswer(lease);
    this.#rhythm = answer.rhythm;
    onAnswer(answer);
    return true;
  }
}
