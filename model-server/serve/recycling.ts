/**
 * Loads models afresh when memory has grown for no reason that is known: what a session, or TensorFlow.js, holds for a
 * model goes with it. The new one is loaded beside the old one and takes over when it has answered its warm-up, so that no
 * request notices.
 */
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { HostedModel } from './hosted-model.ts';

export interface RecyclingLimits {
  /** Resident bytes above which models are loaded afresh; 0: never. */
  readonly recycleBytes: number;
  /** Resident bytes at which the process would be killed; 0: there is no limit. */
  readonly memoryBytes: number;
}

export interface MemoryView {
  readonly residentBytes: number;
  /** Resident bytes at the first look after the newest load. */
  readonly afterLoadBytes: number;
  /** Of the largest model: it will be in memory twice. */
  readonly largestModelBytes: number;
}

/** Growth since the newest load that is less than this share of the threshold is no leak worth a load. */
const LEAST_GROWTH = 0.1;
/** Share of the memory limit that the second copy of a model may fill. */
const FULL = 0.95;
/** Share of that room at which it is time, whatever the threshold: a leak goes on while a model is loaded. */
const EARLY = 0.9;

/** Whether memory has leaked so far that models should be loaded afresh, while there is still room to do it. */
export function isRecyclingDue(
  { recycleBytes, memoryBytes }: RecyclingLimits,
  { residentBytes, afterLoadBytes, largestModelBytes }: MemoryView,
): boolean {
  if (recycleBytes === 0) return false;
  const room = memoryBytes > 0 ? FULL * memoryBytes - largestModelBytes : Number.POSITIVE_INFINITY;
  const threshold = Math.min(recycleBytes, EARLY * room);
  const growth = residentBytes - afterLoadBytes;
  // Beyond the room for a second copy it would be the load that ends the process.
  return residentBytes > threshold && residentBytes <= room && growth >= LEAST_GROWTH * threshold;
}

/** One name in requests, as far as it concerns this file. */
interface Recyclable {
  readonly name: string;
  readonly served: readonly HostedModel[];
  /** Loads what is served afresh, one version after the other. @returns why that failed */
  refresh(): Promise<string | undefined>;
}

export interface RecyclingOptions {
  readonly limits: RecyclingLimits;
  readonly residentBytes: () => number;
  readonly models: readonly Recyclable[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing is loaded any more. */
  readonly isDraining: () => boolean;
  /** Hears of every model that was loaded afresh. */
  readonly recycled: () => void;
}

const LOOK_SECONDS = 10;
/** Looks between two rounds: a leak that comes back at once is not mended by loading all the time. */
const PAUSE_LOOKS = 60;

export class Recycling {
  readonly #options: RecyclingOptions;
  /** The models of the last look, and the resident memory when they were seen first. */
  #seen: readonly string[] = [];
  #afterLoadBytes = 0;
  #pause = 0;

  constructor(options: RecyclingOptions) {
    this.#options = options;
  }

  /** Looks from now on. */
  start(): void {
    const { limits, clock } = this.#options;
    if (limits.recycleBytes === 0) return;
    clock.after(LOOK_SECONDS, () => void this.#look().finally(() => this.start()));
  }

  async #look(): Promise<void> {
    const { limits, models, residentBytes, log } = this.#options;
    this.#pause = Math.max(0, this.#pause - 1);
    if (this.#hasChanged()) this.#afterLoadBytes = residentBytes();
    const sizes = models.flatMap(({ served }) => served.map((model) => model.residentBytes));
    const view = {
      residentBytes: residentBytes(),
      afterLoadBytes: this.#afterLoadBytes,
      largestModelBytes: Math.max(0, ...sizes),
    };
    if (this.#pause > 0 || sizes.length === 0 || !isRecyclingDue(limits, view)) return;
    log.warn({ ...view, ...limits }, 'memory has grown since the models were loaded: loading them afresh');
    this.#pause = PAUSE_LOOKS;
    for (const model of models) await this.#recycle(model);
  }

  /** Whether other models are in memory than at the last look. */
  #hasChanged(): boolean {
    const before = this.#seen;
    this.#seen = this.#options.models.flatMap(({ served }) => served.map(({ id }) => id));
    return before.length !== this.#seen.length || this.#seen.some((id, index) => id !== before[index]);
  }

  async #recycle(model: Recyclable): Promise<void> {
    const { isDraining, log, recycled } = this.#options;
    if (isDraining() || model.served.length === 0) return;
    const failure = await model.refresh();
    if (failure === undefined) recycled();
    else log.warn({ model: model.name, reason: failure }, 'not loaded afresh; what is served stays');
  }
}
