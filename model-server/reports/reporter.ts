/**
 * Tells the operator every few seconds how this replica is, and takes its assignment from the reply. Serving never
 * depends on it: with the operator away the replica serves what it serves.
 */
import type { Logger } from 'pino';
import type { LoadReport, LoadReportReply } from '../../crds/load-report.ts';
import { type ModelAssignment, REPORT_INTERVAL_SECONDS } from '../../crds/pod-contract.ts';
import { type Clock, sleep } from '../clock.ts';
import type { ReportOutcome } from './operator-client.ts';

export interface ReporterOptions {
  /** The report as it is now; called once per report. */
  report(sequence: number): LoadReport;
  send(report: LoadReport, signal: AbortSignal): Promise<ReportOutcome>;
  assign(assignment: ModelAssignment): void;
  /** Counts outcomes. */
  reported(result: ReportOutcome['kind']): void;
  clock: Clock;
  log: Logger;
  /** 0 to 1, for the jitter. */
  random?: () => number;
}

const LONGEST_PAUSE_SECONDS = 15;
/** Changes come in bursts, and the operator limits how often one pod may report. */
const HURRY_SECONDS = 0.3;
/** Replicas that were started together must not report together: ± this share of the pause. */
const JITTER = 0.1;

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #stop = new AbortController();
  #wake = new AbortController();
  /** A change waits to be reported. */
  #hurries = false;
  #sequence = 0;
  #failures = 0;
  #lastComplaint: string | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Reports soon, because something changed that the operator waits for. */
  hurry(): void {
    if (this.#hurries || this.#failures > 0) return;
    this.#hurries = true;
    this.#options.clock.after(HURRY_SECONDS, () => this.#wake.abort());
  }

  /** Ends after a last report, which says how the replica ends, or after `seconds`. */
  async stop(seconds: number): Promise<void> {
    if (!this.#loop) return;
    this.#stop.abort();
    this.#wake.abort();
    await this.#loop;
    await this.#reportOnce(AbortSignal.timeout(seconds * 1000));
  }

  async #run(): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    while (!this.#stop.signal.aborted) {
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
      this.#hurries = false;
      const reply = await this.#reportOnce(this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const seconds = pauseSeconds(reply?.intervalSeconds ?? REPORT_INTERVAL_SECONDS, this.#failures);
      await sleep(clock, seconds * (1 + JITTER * (2 * random() - 1)), this.#wake.signal);
    }
  }

  async #reportOnce(signal: AbortSignal): Promise<LoadReportReply | undefined> {
    const { report, send, assign, reported } = this.#options;
    const outcome = await send(report(this.#sequence++), signal);
    if (signal.aborted && outcome.kind !== 'Accepted') return undefined;
    reported(outcome.kind);
    if (outcome.kind !== 'Accepted') {
      this.#failures++;
      this.#complainOnce(outcome);
      return undefined;
    }
    if (this.#lastComplaint !== undefined) this.#options.log.info('reports are accepted again');
    this.#lastComplaint = undefined;
    this.#failures = 0;
    if (outcome.reply.assignment) assign(outcome.reply.assignment);
    return outcome.reply;
  }

  /** The same trouble every two seconds is one line in the log. */
  #complainOnce({ kind, message }: Exclude<ReportOutcome, { kind: 'Accepted' }>): void {
    const complaint = `${kind} ${message}`;
    if (complaint === this.#lastComplaint) return;
    this.#lastComplaint = complaint;
    this.#options.log.warn({ result: kind, reason: message }, 'report not accepted; serving goes on');
  }
}

/** The interval, doubled with each failure in a row up to a quarter of a minute. */
export function pauseSeconds(intervalSeconds: number, failures: number): number {
  return failures === 0
    ? intervalSeconds
    : Math.max(
        intervalSeconds,
        Math.min(intervalSeconds * 2 ** Math.min(failures - 1, 10), LONGEST_PAUSE_SECONDS),
      );
}
