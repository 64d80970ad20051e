/**
 * Which cities may serve a service, before any question of room: a chain of small checks, each with its reason. The
 * first that objects decides, so they stand in order of weight.
 */
import type { Taint } from '../../../crds/city-cluster.ts';
import type { Placement } from '../../../crds/placement.ts';
import { type City, labelsOf } from './city.ts';
import { type Labels, matches, untolerated } from './label-selector.ts';

/**
 * `Open`: may take replicas. `LastResort`: takes only what fits nowhere else. `Keep`: keeps what it has. `Closed`: silent, nothing can be
 * given or taken. `Leave`: gives its replicas up as others become ready. `Forbidden`: gives them up at once.
 */
export type VerdictKind = 'Open' | 'LastResort' | 'Keep' | 'Closed' | 'Leave' | 'Forbidden';

export interface Verdict {
  readonly kind: VerdictKind;
  /** Part of a sentence after the city's name; empty for `Open`. */
  readonly because: string;
}

export interface Candidate {
  readonly city: City;
  readonly verdict: Verdict;
  /** Position in `placement.groups` of the first group that has the city; 0 without groups. */
  readonly group: number;
  /** Value of the spread's topology key; empty without a spread. */
  readonly domain: string;
  /** The part of the score that does not depend on room. */
  readonly score: number;
}

const OPEN: Verdict = { kind: 'Open', because: '' };

/** One candidate per city, in the order of the cities. */
export function candidatesFor(placement: Placement, cities: readonly City[]): Candidate[] {
  const judged = cities.map((city) => judge(placement, city));
  const open = judged.filter(({ verdict }) => verdict.kind === 'Open' || verdict.kind === 'LastResort');
  const cheapest = lowest(open.map(({ city }) => city.pricePerHour));
  const cleanest = lowest(open.map(({ city }) => city.carbonIntensity));
  const { price = 0, carbonIntensity = 0 } = placement.weights ?? {};
  return judged.map(({ labels, ...candidate }) => ({
    ...candidate,
    score:
      preferenceOf(placement, labels) +
      price * relative(cheapest, candidate.city.pricePerHour) +
      carbonIntensity * relative(cleanest, candidate.city.carbonIntensity),
  }));
}

/** Whether any city scores differently from another, by what the placement says. */
export function hasScores({ preferred = [], weights = {} }: Placement): boolean {
  return preferred.length > 0 || Object.values(weights).some((weight) => weight !== undefined && weight > 0);
}

interface Judged extends Omit<Candidate, 'score'> {
  readonly labels: Labels;
}

function judge(placement: Placement, city: City): Judged {
  const labels = labelsOf(city);
  const group = placement.groups?.findIndex(({ selector }) => matches(selector, labels)) ?? 0;
  const domain = placement.spread ? labels[placement.spread.topologyKey] : '';
  const verdict = verdictOn({
    placement,
    city,
    labels,
    isInGroup: group >= 0,
    hasDomain: domain !== undefined,
  });
  return { city, labels, verdict, group: Math.max(0, group), domain: domain ?? '' };
}

interface Question {
  readonly placement: Placement;
  readonly city: City;
  readonly labels: Labels;
  readonly isInGroup: boolean;
  readonly hasDomain: boolean;
}

function verdictOn(question: Question): Verdict {
  for (const check of CHECKS) {
    const verdict = check(question);
    if (verdict) return verdict;
  }
  return OPEN;
}

type Check = (question: Question) => Verdict | undefined;

const CHECKS: readonly Check[] = [
  // The law before everything, also where it cannot be enforced at the moment.
  ({ placement, labels }) =>
    placement.residency && !matches(placement.residency, labels)
      ? { kind: 'Forbidden', because: 'is outside spec.placement.residency' }
      : undefined,
  // Nothing else can be told to a city that does not hear.
  ({ city }) => (city.condition === 'Silent' ? { kind: 'Closed', because: 'is silent' } : undefined),
  ({ placement, labels }) =>
    placement.selector && !matches(placement.selector, labels)
      ? { kind: 'Leave', because: 'does not match spec.placement.selector' }
      : undefined,
  ({ isInGroup }) =>
    isInGroup ? undefined : { kind: 'Leave', because: 'is in no group of spec.placement.groups' },
  ({ hasDomain, placement }) =>
    hasDomain
      ? undefined
      : { kind: 'Leave', because: `has no label ${placement.spread?.topologyKey} to spread over` },
  ({ city }) => (city.isDraining ? { kind: 'Leave', because: 'is being drained' } : undefined),
  (question) => tainted(question, 'NoExecute', 'Leave'),
  (question) => tainted(question, 'NoSchedule', 'Keep'),
  ({ city }) =>
    city.condition === 'Settling'
      ? { kind: 'LastResort', because: 'has come back only a short while ago' }
      : undefined,
  (question) => tainted(question, 'PreferNoSchedule', 'LastResort'),
];

function tainted(
  { city, placement }: Question,
  effect: Taint['effect'],
  kind: VerdictKind,
): Verdict | undefined {
  const taint = untolerated(city.taints, placement.tolerations ?? [], effect);
  return taint && { kind, because: `has the taint ${inWords(taint)}` };
}

function inWords({ key, value, effect }: Taint): string {
  return `${key}${value ? `=${value}` : ''}:${effect}`;
}

function preferenceOf({ preferred = [] }: Placement, labels: Labels): number {
  return preferred.reduce((sum, { weight, selector }) => sum + (matches(selector, labels) ? weight : 0), 0);
}

function lowest(amounts: readonly (number | undefined)[]): number | undefined {
  const known = amounts.filter((amount) => amount !== undefined);
  return known.length === 0 ? undefined : known.reduce((least, amount) => Math.min(least, amount));
}

/** 1 for the lowest, half for twice as much; what is not known counts as the worst. */
function relative(least: number | undefined, amount: number | undefined): number {
  if (least === undefined || amount === undefined) return 0;
  return amount === 0 ? 1 : least / amount;
}
