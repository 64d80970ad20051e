/** One schedule from beginning to end: a region comes up, things go wrong, it becomes calm, all must be well. */
import type { RegionInput } from '../../../operator/plan/failover/look.ts';
import type { RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { anyIntent, drawFault, type Fault, type FaultClass, GPU, REGIONS } from './faults.ts';
import { InvariantBroken } from './invariants.ts';
import { SimulatedRegion } from './region.ts';
import { Watcher } from './watcher.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly of?: FaultClass;
  readonly trace?: (line: string) => void;
  /** Absent: the operator's own code. */
  readonly look?: (input: RegionInput) => RegionOutcome;
}

export interface SimulationResult {
  readonly seed: number;
  readonly looks: number;
  readonly reports: number;
  readonly faults: readonly string[];
  /** How often a city was written off, counted per service. */
  readonly failovers: number;
  /** What was broken, undefined when all held. */
  readonly failure?: string;
}

const SHORTEST_GRACE_MS = 30_000;
const UP_BY_MS = 60_000;
const CALM_FROM_MS = 500_000;
/** Beyond the longest grace, the longest settling, and a rebalance after it. */
const END_MS = CALM_FROM_MS + 400_000;

/** Short times, so that much happens within a schedule. */
const SETTINGS = {
  readyTimeoutMs: 30_000,
  settleMs: 20_000,
  longestSettleMs: 120_000,
  moveTimeoutMs: 60_000,
  forgetMs: 300_000,
  maxMoves: 3,
};

export function simulate({ seed, of = 'All', trace, look }: SimulationOptions): SimulationResult {
  const watcher = new Watcher();
  const region: SimulatedRegion = new SimulatedRegion({
    seed,
    shortestGraceMs: SHORTEST_GRACE_MS,
    settings: SETTINGS,
    ...(trace ? { trace } : {}),
    ...(look ? { look } : {}),
    onLook: (seen, outcome) => {
      watcher.onLook(region, seen, outcome);
      if (of === 'Maintenance' && seen.nowMs >= UP_BY_MS) watcher.checkNothingLost(region);
    },
  });
  const faults: string[] = [];
  const result = (): SimulationResult => {
    const { looks, failovers } = watcher;
    return { seed, looks, failovers, reports: region.network.reports, faults };
  };
  try {
    build(region, of);
    planFaults(region, of, watcher, faults);
    region.start();
    region.agenda.runUntil(CALM_FROM_MS);
    region.network.isCalm = true;
    region.agenda.runUntil(END_MS);
    watcher.checkAtTheEnd(region);
    return result();
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    region.tellAll();
    return { ...result(), failure: error.message };
  }
}

function build(region: SimulatedRegion, of: FaultClass): void {
  const { random } = region;
  for (let i = random.whole(2, 7); i > 0; i--) {
    // With room for all, maintenance has no excuse.
    const capacity = { [GPU]: of === 'Maintenance' ? 60 : random.whole(1, 12) };
    const spec = { labels: { region: random.pick(REGIONS) }, pricePerHour: random.whole(1, 4) };
    region.addCity(`city-${i}`, capacity, spec);
  }
  for (let i = random.whole(1, 8); i > 0; i--) {
    const intent = anyIntent(random, `default/s${i}`);
    region.addService(intent);
    for (const city of region.cities.values()) city.setNeeded(intent.key, random.whole(0, 6));
  }
}

function planFaults(region: SimulatedRegion, of: FaultClass, watcher: Watcher, faults: string[]): void {
  const { random, agenda } = region;
  for (let i = random.whole(1, 10); i > 0; i--) {
    const atMs = random.whole(UP_BY_MS, CALM_FROM_MS - 20_000);
    const lastsMs = Math.min(random.whole(2_000, 180_000), CALM_FROM_MS - atMs);
    agenda.after(atMs, () => {
      const fault = drawFault(region, of);
      if (!fault || !watcher.isPossible(fault)) return;
      faults.push(fault.kind);
      happen(region, fault, lastsMs, watcher);
    });
  }
}

function happen(region: SimulatedRegion, fault: Fault, lastsMs: number, watcher: Watcher): void {
  const { kind, on, begin, end } = fault;
  region.trace(`${kind}: ${on}${end ? ` for ${Math.round(lastsMs / 1000)} s` : ''}`);
  watcher.begins(fault, lastsMs, SHORTEST_GRACE_MS);
  begin();
  if (!end) return;
  region.agenda.after(lastsMs, () => {
    region.trace(`${kind} ends: ${on}`);
    watcher.ends(fault, region.agenda.nowMs);
    end();
  });
}
