/** Trying again: how often, after which pauses, and until when. */
import { type Clock, sleep } from '../clock.ts';
import type { Failure } from './transfer-error.ts';

export interface TransferLimits {
  /** Nothing received for so long ends an attempt, in seconds. */
  stallSeconds: number;
  /** Attempts in a row that bring no byte before the transfer is given up. */
  attempts: number;
  /** Pause before the second attempt, doubled before each further one up to 8 s. */
  firstPauseSeconds: number;
}

/** What every transfer needs. */
export interface TransferMeans {
  limits: TransferLimits;
  clock: Clock;
  signal: AbortSignal;
}

/** `progressed`: the attempt brought something, so it does not count as one of those in a row. */
export type Attempt<T> = { value: T } | (Failure & { progressed?: boolean });

const LONGEST_PAUSE_SECONDS = 8;

/** @throws LoadError after the last attempt, or at once when trying again cannot help. */
export async function persistently<T>(
  { limits, clock, signal }: TransferMeans,
  tryOnce: () => Promise<Attempt<T>>,
): Promise<T> {
  for (let attempt = 1, pause = limits.firstPauseSeconds; ; attempt++) {
    const outcome = await tryOnce();
    if ('value' in outcome) return outcome.value;
    if (signal.aborted) throw outcome.error;
    if (outcome.progressed) [attempt, pause] = [1, limits.firstPauseSeconds];
    if (!outcome.transient || attempt >= limits.attempts) throw outcome.error;
    await sleep(clock, pause, signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE_SECONDS);
  }
}

/** Aborts when `alive` has not been called for the time after which a transfer counts as stalled. */
export function stallWatch({ limits, clock, signal }: TransferMeans): {
  signal: AbortSignal;
  alive(): void;
  stalled(): boolean;
  end(): void;
} {
  const stall = new AbortController();
  let cancel = () => {};
  return {
    signal: AbortSignal.any([signal, stall.signal]),
    alive() {
      cancel();
      cancel = clock.after(limits.stallSeconds, () => stall.abort());
    },
    stalled: () => stall.signal.aborted,
    end: () => cancel(),
  };
}
