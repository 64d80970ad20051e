/**
 * Load figures over a sliding window: long enough that an autoscaler does not chase every burst, short enough that it
 * sees a rush within seconds.
 */
import type { LoadReport } from '../../crds/load-report.ts';

/** Counters that only grow, read at one moment. */
export interface LoadSample {
  /** Monotonic milliseconds. */
  atMilliseconds: number;
  /** Seconds in which the engine computed: for requests, and for the warm-up of models too. */
  engineSeconds: number;
  /** Seconds in which requests were at the engine: with `engineSeconds` it tells their share from that of warm-ups. */
  runSeconds: number;
  /** Seconds in which the event loop was busy: reading, checking and writing requests. */
  loopSeconds: number;
  /** Requests that got to the engine, or gave up waiting for it. */
  waitedRequests: number;
  /** Sum of the time that these had waited. */
  waitedMilliseconds: number;
  answeredRequests: number;
  rejectedRequests: number;
}

export type LoadFigures = Omit<LoadReport['load'], 'queued' | 'inFlight'>;

export const WINDOW_SECONDS = 12;

export class LoadWindow {
  readonly #windowSeconds: number;
  /** Oldest first; the first one is as old as the window or the only one that old. */
  #samples: LoadSample[] = [];

  constructor(windowSeconds = WINDOW_SECONDS) {
    this.#windowSeconds = windowSeconds;
  }

  /**
   * Adds the newest sample and gives the figures up to it. `busyShare` is the share of the busier of the two threads
   * that a request passes through: with small models the event loop is full long before the engine is.
   */
  add(sample: LoadSample): LoadFigures {
    this.#samples.push(sample);
    const from = sample.atMilliseconds - this.#windowSeconds * 1000;
    while (this.#samples[1] && this.#samples[1].atMilliseconds <= from) this.#samples.shift();
    return figuresBetween(this.#samples[0] ?? sample, sample);
  }
}

/** Less time than this says nothing about a rate. */
const SHORTEST_WINDOW_SECONDS = 0.001;
/** As much as a report may state. */
const LONGEST_WINDOW_SECONDS = 300;

/** Figures of the time between two samples; all zero when it is no time at all. */
export function figuresBetween(first: LoadSample, last: LoadSample): LoadFigures {
  const windowSeconds = (last.atMilliseconds - first.atMilliseconds) / 1000;
  const perSecond = (read: (sample: LoadSample) => number) =>
    windowSeconds >= SHORTEST_WINDOW_SECONDS ? Math.max(0, read(last) - read(first)) / windowSeconds : 0;
  const waited = last.waitedRequests - first.waitedRequests;
  const waitedMilliseconds = last.waitedMilliseconds - first.waitedMilliseconds;
  const engine = Math.min(
    perSecond(({ engineSeconds }) => engineSeconds),
    perSecond(({ runSeconds }) => runSeconds),
  );
  // An idle process reports, answers probes and collects garbage: its event loop is never quite still.
  const isIdle =
    waited === 0 && last.answeredRequests === first.answeredRequests && last.runSeconds === first.runSeconds;
  const loop = isIdle ? 0 : perSecond(({ loopSeconds }) => loopSeconds);
  const busy = Math.max(engine, loop);
  return {
    busyShare: Math.min(1, busy),
    queueTimeMilliseconds: waited > 0 ? Math.max(0, waitedMilliseconds / waited) : 0,
    requestsPerSecond: perSecond(({ answeredRequests }) => answeredRequests),
    rejectedPerSecond: perSecond(({ rejectedRequests }) => rejectedRequests),
    windowSeconds: Math.min(Math.max(windowSeconds, SHORTEST_WINDOW_SECONDS), LONGEST_WINDOW_SECONDS),
  };
}
