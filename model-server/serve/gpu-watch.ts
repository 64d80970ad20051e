/** What the GPUs are doing, read every few seconds, so that metrics and reports never wait for the driver. */
import { type Clock, sleep } from '../clock.ts';
import type { Gpu } from '../engine/gpus.ts';

const SECONDS_BETWEEN_READINGS = 2;

export class GpuWatch {
  readonly #read: () => Promise<readonly Gpu[]>;
  readonly #clock: Clock;
  #gpus: readonly Gpu[] = [];

  constructor(read: () => Promise<readonly Gpu[]>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** As they were read last. */
  get gpus(): readonly Gpu[] {
    return this.#gpus;
  }

  /** Reads from now on. Where there are none at first there will be none: a driver does not come later. */
  async start(): Promise<void> {
    this.#gpus = await this.#read();
    while (this.#gpus.length > 0) {
      await sleep(this.#clock, SECONDS_BETWEEN_READINGS);
      const gpus = await this.#read();
      // A driver that is busy with itself for a moment says nothing; what it said before stands.
      if (gpus.length > 0) this.#gpus = gpus;
    }
  }
}
