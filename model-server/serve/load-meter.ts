/** Counts what happens to requests, for the load report. */
import type { LoadSample } from '../reports/load-window.ts';

/** Where the figures come from that others count. */
export interface LoadSources {
  nowMilliseconds(): number;
  engineSeconds(): number;
  runSeconds(): number;
  loopSeconds(): number;
}

export class LoadMeter {
  readonly #sources: LoadSources;
  #waitedRequests = 0;
  #waitedMilliseconds = 0;
  #answeredRequests = 0;
  #rejectedRequests = 0;

  constructor(sources: LoadSources) {
    this.#sources = sources;
  }

  /** A request got to the engine or gave up waiting for it. */
  waited(milliseconds: number): void {
    this.#waitedRequests++;
    this.#waitedMilliseconds += milliseconds;
  }

  /** @param status 429 and 504 are refusals for want of capacity. */
  answered(status: number): void {
    this.#answeredRequests++;
    if (status === 429 || status === 504) this.#rejectedRequests++;
  }

  sample(): LoadSample {
    return {
      atMilliseconds: this.#sources.nowMilliseconds(),
      engineSeconds: this.#sources.engineSeconds(),
      runSeconds: this.#sources.runSeconds(),
      loopSeconds: this.#sources.loopSeconds(),
      waitedRequests: this.#waitedRequests,
      waitedMilliseconds: this.#waitedMilliseconds,
      answeredRequests: this.#answeredRequests,
      rejectedRequests: this.#rejectedRequests,
    };
  }
}
