/**
 * Where a run takes place. A thread of the pool leaves the event loop free, and waking it and being woken by it costs
 * up to a few tenths of a millisecond. So runs that have shown to be shorter than that are done on the spot. Pure.
 */
export type RunPlace = 'Pool' | 'Here';

/** A run that is shorter than this holds up the event loop for less than the pool would hold up the run. */
const mostMillisecondsHere = 0.25;
/** Runs of a size on the pool before one is done here; the first ones of a size are slower than all others. */
const proofRuns = 8;
/** A run's share in the mean: one that took long sends the next few to the pool, until they are short again. */
const newestShare = 0.25;

interface Experience {
  runs: number;
  /** Mean of what runs took lately. */
  milliseconds: number;
}

/** Keeps count for one signature of a model, by the size of the input. */
export class RunPlaces {
  readonly #experiences = new Map<number, Experience>();

  /** @param bytes of all inputs. */
  choose(bytes: number): RunPlace {
    const found = this.#experiences.get(sizeClass(bytes));
    return found && found.runs >= proofRuns && found.milliseconds < mostMillisecondsHere ? 'Here' : 'Pool';
  }

  /** @param milliseconds that the run itself took, without waiting for a thread. */
  took(bytes: number, milliseconds: number): void {
    const size = sizeClass(bytes);
    const found = this.#experiences.get(size);
    if (!found) {
      this.#experiences.set(size, { runs: 1, milliseconds });
      return;
    }
    found.runs++;
    found.milliseconds += (milliseconds - found.milliseconds) * newestShare;
  }
}

/** Sizes within a factor of two take about as long as each other. */
function sizeClass(bytes: number): number {
  return bytes < 1 ? 0 : Math.floor(Math.log2(bytes));
}
