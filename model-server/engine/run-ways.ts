/**
 * How a run uses the cores, by what runs of its size took so far. Which way is the best depends on the model, the
 * number of rows, the machine, and on who else wants the cores just now: all are tried now and then. Pure.
 *
 * - `OneThread`: one thread computes everything. Takes the least processor time and, for small runs, the least time.
 * - `Here`: the same on the caller's thread, for runs that are shorter than the way to another thread and back.
 * - `Divided`: the rows are dealt out, and each share is a run on one thread.
 * - `Wide`: every operation divides its work among all threads, which have to be woken and waited for each time.
 */
export type RunWay = Undivided | 'Divided';
export type Undivided = 'OneThread' | 'Here' | 'Wide';

export interface RunSize {
  /** Of all inputs. */
  readonly bytes: number;
  /** That do not depend on each other; 1 when nobody knows of any. */
  readonly rows: number;
}

/** `shares` have the rows: no more than cores, and two at least. */
export type RunPlan = ({ readonly way: Undivided } | { readonly way: 'Divided'; readonly shares: number }) & {
  /**
   * `Alone` for what has all cores, or is to show how long it takes: nothing should be started beside it. `Abreast` for
   * one of several that go on side by side: what it takes says nothing of what it would take otherwise.
   */
  readonly company: 'Alone' | 'Allowed' | 'Abreast';
};

/** What a run finds when it is asked for. */
export interface Surroundings {
  /** Of the caller's time that its thread is busy, from 0 to 1. */
  readonly callerShare: number;
  /** Runs of this size that the caller would have going on at once, this one included; 1 while it has no others. */
  readonly abreast: number;
}

/** What a run took, in milliseconds. */
export interface RunTime {
  /** The computing alone. */
  readonly computed: number;
  /** From the call until the last share was computed. */
  readonly elapsed: number;
}

/** A run that is shorter than this holds up the caller's thread for less than another thread would hold up the run. */
const MOST_MILLISECONDS_HERE = 0.25;
/** Runs of a size on another thread before one is done here. */
const PROOF_RUNS = 8;
/** Runs of each way before they are compared. The quickest counts: the first ones prepare what later ones use. */
const FIRST_RUNS = 6;
/** Runs of each way that is tried again. The quickest counts here, too: threads of the way before still look for work. */
const TRIAL_RUNS = 5;
/** After a change of the best way, the others are tried again after so many runs, then after twice as many, and so on. */
const [LEAST_RUNS_BETWEEN_TRIALS, MOST_RUNS_BETWEEN_TRIALS] = [64, 1024];
/** A run's share in the mean of its way. Machines hiccup: a single slow run counts as no more than so many times the mean. */
const [NEWEST_SHARE, MOST_TIMES_MEAN] = [0.1, 2];
/** With all threads. What takes longer is never slowed down only to see how long one thread would take. */
const HEAVY_MILLISECONDS = 20;
/**
 * What a way with several threads may take, as a share of what one thread takes, to be worth the processor time: less, the
 * more of the cores the caller's own thread wants, which has requests to read while this one computes.
 */
const worthwhile = (way: 'Divided' | 'Wide', cores: number, callerShare: number) =>
  (way === 'Divided' ? 0.9 : 0.8) - (0.8 * callerShare) / cores;
/** What another way may take, as a share of what the present one takes, to be worth a change: or they would take turns. */
const WORTH_A_CHANGE = 0.9;
/** A way that takes so many times what the best one takes is tried again only after long, and once: somebody waits for it. */
const HOPELESS_TIMES_BEST = 2;
/** What a share of the rows takes at least; handing it over should be little beside it. */
const LEAST_MILLISECONDS_OF_SHARE = 0.2;

type Candidate = Exclude<RunWay, 'Here'>;

/** Says how the next run goes, and is told what it took. */
export interface RunPlanner {
  plan(size: RunSize, surroundings: Surroundings): RunPlan;
  /** Not of runs abreast. */
  took(size: RunSize, way: RunWay, time: RunTime): void;
}

/** Always the same way; a single row cannot be dealt out, and is run on one thread. */
export function always(way: RunWay, cores: number): RunPlanner {
  return {
    plan: ({ rows }) => {
      const company = way === 'Wide' ? 'Alone' : 'Allowed';
      if (way !== 'Divided') return { way, company };
      const shares = Math.min(cores, rows);
      return shares === 1 ? { way: 'OneThread', company } : { way, shares, company };
    },
    took: () => {},
  };
}

/** Keeps count for one signature of a model, by the size of the input. */
export class RunWays implements RunPlanner {
  readonly #cores: number;
  readonly #sizes = new Map<number, WaysOfSize>();

  /** @param cores that a run may use; with 1, `OneThread` and `Here` are all there is. */
  constructor(cores: number) {
    this.#cores = cores;
  }

  plan({ bytes, rows }: RunSize, surroundings: Surroundings): RunPlan {
    return this.#ofSize(bytes).plan(rows, surroundings);
  }

  took({ bytes }: RunSize, way: RunWay, time: RunTime): void {
    this.#ofSize(bytes).took(way, time);
  }

  /** Sizes within a factor of two take about as long as each other. */
  #ofSize(bytes: number): WaysOfSize {
    const sizeClass = bytes < 1 ? 0 : Math.floor(Math.log2(bytes));
    const found = this.#sizes.get(sizeClass) ?? new WaysOfSize(this.#cores);
    this.#sizes.set(sizeClass, found);
    return found;
  }
}

interface Experience {
  runs: number;
  readonly computed: Mean;
  readonly elapsed: Mean;
}

/** Of what runs took lately, in milliseconds. */
class Mean {
  value: number;
  #newest: number;

  constructor(first: number) {
    this.value = first;
    this.#newest = first;
  }

  /** @param isTrial then a quick run counts wholly, for what others did not let it show before. */
  count(milliseconds: number, isTrial: boolean): void {
    const counted = Math.min(milliseconds, Math.max(this.value * MOST_TIMES_MEAN, this.#newest));
    this.#newest = milliseconds;
    this.value =
      isTrial && counted < this.value ? counted : this.value + (counted - this.value) * NEWEST_SHARE;
  }
}

class WaysOfSize {
  readonly #cores: number;
  readonly #tried = new Map<Candidate, Experience>();
  #best: Candidate = 'OneThread';
  #betweenTrials = LEAST_RUNS_BETWEEN_TRIALS;
  /** Runs until the next trial; below 0 while it goes on. */
  #untilTrial = LEAST_RUNS_BETWEEN_TRIALS;

  constructor(cores: number) {
    this.#cores = cores;
  }

  plan(rows: number, { callerShare, abreast }: Surroundings): RunPlan {
    // First of all, and without ado, what takes no longer than to think about it.
    if (this.#isShort(PROOF_RUNS)) return { way: 'Here', company: 'Allowed' };
    const candidates = this.#candidates(rows);
    const unknown = candidates.find((way) => (this.#tried.get(way)?.runs ?? 0) < FIRST_RUNS);
    if (unknown) return this.#planned(unknown, rows, 'Alone');
    const isHeavy = !candidates.includes('OneThread');
    if (abreast > 1 && !isHeavy) return this.#beside(rows, abreast);
    this.#choose(candidates, callerShare);
    const trial = this.#trial(candidates);
    return this.#planned(trial ?? this.#best, rows, trial || isHeavy ? 'Alone' : 'Allowed');
  }

  /** Cores are shared out among runs: the fewer threads work on each, the less time goes into waking and waiting. */
  #beside(rows: number, abreast: number): RunPlan {
    const cores = Math.floor(this.#cores / abreast);
    if (this.#best === 'Wide' && cores > 1) return this.#planned('Wide', rows, 'Alone');
    const shares = this.#best === 'Divided' ? Math.min(cores, this.#shares(rows)) : 1;
    const company = 'Abreast';
    return shares > 1 ? { way: 'Divided', shares, company } : { way: 'OneThread', company };
  }

  #planned(way: Candidate, rows: number, company: RunPlan['company']): RunPlan {
    if (way === 'Divided') return { way, shares: this.#shares(rows), company };
    return { way, company: way === 'Wide' ? 'Alone' : company };
  }

  took(way: RunWay, { computed, elapsed }: RunTime): void {
    const candidate = way === 'Here' ? 'OneThread' : way;
    const past = this.#tried.get(candidate);
    if (!past) {
      this.#tried.set(candidate, { runs: 1, computed: new Mean(computed), elapsed: new Mean(elapsed) });
      return;
    }
    past.runs++;
    const isTrial = past.runs <= FIRST_RUNS || candidate !== this.#best;
    past.computed.count(computed, isTrial);
    past.elapsed.count(elapsed, isTrial);
  }

  /** Of ways that have been tried. */
  #choose(candidates: readonly Candidate[], callerShare: number): void {
    const cost = (way: Candidate) => this.#cost(way, callerShare);
    const best = candidates.reduce((one, other) => (cost(other) < cost(one) ? other : one));
    if (best === this.#best) return;
    this.#best = best;
    this.#scheduleTrial(LEAST_RUNS_BETWEEN_TRIALS);
  }

  /** In the order in which they are tried first: the one that hurts least when the model turns out to be large. */
  #candidates(rows: number): Candidate[] {
    if (this.#cores === 1 || this.#isShort(FIRST_RUNS)) return ['OneThread'];
    const isHeavy = (this.#tried.get('Wide')?.elapsed.value ?? 0) > HEAVY_MILLISECONDS;
    const candidates: Candidate[] = isHeavy ? ['Wide'] : ['Wide', 'OneThread'];
    return rows >= (isHeavy ? this.#cores : 2) ? [...candidates, 'Divided'] : candidates;
  }

  #isShort(provenByRuns: number): boolean {
    const known = this.#tried.get('OneThread');
    return known !== undefined && known.runs >= provenByRuns && known.computed.value < MOST_MILLISECONDS_HERE;
  }

  /** Of a way that has been tried. */
  #cost(way: Candidate, callerShare: number): number {
    const { elapsed } = this.#tried.get(way) as Experience;
    const worth = way === 'OneThread' ? 1 : worthwhile(way, this.#cores, callerShare);
    return (elapsed.value / worth) * (way === this.#best ? WORTH_A_CHANGE : 1);
  }

  /** Which way is tried again now, if it is time for it. */
  #trial(candidates: readonly Candidate[]): Candidate | undefined {
    if (--this.#untilTrial >= 0) return undefined;
    const trials = candidates.flatMap((way) => new Array<Candidate>(this.#trialRuns(way)).fill(way));
    const trial = trials[-1 - this.#untilTrial];
    if (!trial) this.#scheduleTrial(Math.min(2 * this.#betweenTrials, MOST_RUNS_BETWEEN_TRIALS));
    return trial;
  }

  #trialRuns(way: Candidate): number {
    if (way === this.#best) return 0;
    const [its, best] = [way, this.#best].map((each) => this.#tried.get(each)?.elapsed.value ?? 0) as [
      number,
      number,
    ];
    if (its < HOPELESS_TIMES_BEST * best) return TRIAL_RUNS;
    return this.#betweenTrials === MOST_RUNS_BETWEEN_TRIALS ? 1 : 0;
  }

  #scheduleTrial(runs: number): void {
    this.#betweenTrials = runs;
    this.#untilTrial = runs;
  }

  #shares(rows: number): number {
    const most = Math.min(this.#cores, rows);
    const computed = this.#tried.get('OneThread')?.computed.value ?? Number.POSITIVE_INFINITY;
    return Math.min(most, Math.max(2, Math.floor(computed / LEAST_MILLISECONDS_OF_SHARE)));
  }
}
