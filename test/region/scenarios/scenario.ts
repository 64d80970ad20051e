/**
 * A scenario: cities, services, what goes wrong, and what must be seen. One file is a test, a demonstration and a bug
 * report, and is played in two modes: in the simulator on a virtual clock, and on real clusters.
 *
 *   npm run simulate -- --scenario=test/region/scenarios/drain.yaml
 *   npm run region -- scenario test/region/scenarios/drain.yaml
 */
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import * as z from 'zod';
import { CityClusterSpec } from '../../../crds/city-cluster.ts';
import { CITY_REASONS, type CityReason } from '../../../crds/city-conditions.ts';
import { ModelServiceSpec } from '../../../crds/model-service.ts';
import {
  DECISION_REASONS,
  type DecisionReason,
  WAITING_REASONS,
  type WaitingReason,
} from '../../../crds/placement.ts';

/** Of all services of a scenario, on the hub and in the cities. */
export const NAMESPACE = 'city';

const Name = z
  .string()
  .regex(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/, 'expected lower-case letters, digits and dashes');
const oneOf = <T extends string>(reasons: Record<T, string>) => z.enum(Object.keys(reasons) as [T, ...T[]]);
const seconds = z.number().min(0).max(86_400);
const count = z.int().min(0);
const byCity = z.record(Name, count);

/** A city: what people write about it on the hub, and what its cluster has. */
const ScenarioCity = z.strictObject({
  gpus: count.describe('What its only node offers.'),
  labels: z.record(z.string(), z.string()).default({}),
  ...CityClusterSpec.shape,
});
export type ScenarioCity = z.infer<typeof ScenarioCity>;

/** The spec of a ModelService; the traffic model where none is named, and never more than a little of a processor. */
const ScenarioService = z.preprocess(
  (spec) => ({ model: { uri: 'http://model-store.models.svc/traffic', version: 1 }, ...(spec as object) }),
  ModelServiceSpec,
);

/** What is seen of a service. Cities that are not named have none. */
const ServiceExpectation = z.strictObject({
  ready: z
    .union([count, byCity])
    .optional()
    .describe(
      'Ready replicas that the hub counts: at least so many altogether, or exactly so many in each city that is heard.',
    ),
  runs: byCity.optional().describe('Pods that there are in truth, in each of the cities named.'),
  waiting: count.optional().describe('Replicas without a city.'),
  why: oneOf<WaitingReason>(WAITING_REASONS).optional(),
  decisions: z.record(Name, oneOf<DecisionReason>(DECISION_REASONS)).optional(),
  endpoints: z.array(Name).optional().describe('The cities to which clients are sent, and no others.'),
  gone: z.boolean().optional().describe('True: no city holds anything of it.'),
});
export type ServiceExpectation = z.infer<typeof ServiceExpectation>;

const expectation = {
  unanswered: z
    .record(Name, count)
    .optional()
    .describe('Requests that begin during the step and that clients of the service may lose.'),
  services: z.record(Name, ServiceExpectation).optional(),
  cities: z
    .record(Name, oneOf<CityReason>(CITY_REASONS))
    .optional()
    .describe('Reason of the Ready condition.'),
};

/** What can happen, by the word that a timeline uses for it. */
const VERBS = {
  /** What follows, in a sentence. */
  chapter: z.string().min(1),
  wait: seconds,
  /** Nobody reaches the city and it reaches nobody; what runs in it goes on. */
  partition: Name,
  heal: Name,
  /** Only hub and city lose each other. */
  cutFromHub: Name,
  reconnectToHub: Name,
  /** Everything in it stands still. */
  pause: Name,
  resume: Name,
  /** A power cut; its data stays. */
  kill: Name,
  start: Name,
  killHub: z.literal(true),
  startHub: z.literal(true),
  pauseHub: z.literal(true),
  resumeHub: z.literal(true),
  drain: Name,
  undrain: Name,
  scale: z.strictObject({ service: Name, replicas: count }),
  edit: z.strictObject({ service: Name, spec: z.record(z.string(), z.unknown()) }),
  add: z.strictObject({ service: Name, spec: ScenarioService }),
  delete: Name,
  /** Comes true in time. */
  expect: z.strictObject({ within: seconds, ...expectation }),
  /** Is true all the while. */
  hold: z.strictObject({ for: seconds, ...expectation }),
} as const;
export type Verb = keyof typeof VERBS;
export type Step = {
  readonly [V in Verb]: { readonly verb: V; readonly value: z.infer<(typeof VERBS)[V]> };
}[Verb];

const Head = z.strictObject({
  name: Name,
  about: z.string().min(1),
  cities: z.record(Name, ScenarioCity),
  services: z.record(Name, ScenarioService),
  limits: z
    .record(Name, count)
    .default({})
    .describe(
      'What all cities together never run more of: lost ones too, and what was withdrawn and answers on for a moment.',
    ),
  timeline: z.array(z.record(z.string(), z.unknown())).min(1),
});

export interface Scenario extends Omit<z.infer<typeof Head>, 'timeline'> {
  readonly timeline: readonly Step[];
}

/** The text is no scenario; the message names the place, what was found and what was expected. */
export class ScenarioError extends Error {}

/** @throws ScenarioError */
export function readScenario(file: string): Scenario {
  try {
    return parseScenario(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ScenarioError(`${file}: ${(error as Error).message}`);
  }
}

/** @throws ScenarioError */
export function parseScenario(text: string): Scenario {
  const head = parsed(Head, load(text), '');
  const timeline = head.timeline.map((step, at) => stepOf(step, `timeline[${at}]`));
  const scenario = { ...head, timeline };
  for (const [at, step] of timeline.entries()) checkNames(scenario, step, `timeline[${at}]`);
  return scenario;
}

function stepOf(step: Record<string, unknown>, where: string): Step {
  const [verb, ...others] = Object.keys(step);
  if (verb === undefined || others.length > 0) {
    throw new ScenarioError(`${where} has ${Object.keys(step).length} verbs: expected one in each step`);
  }
  if (!(verb in VERBS)) {
    throw new ScenarioError(`${where} is "${verb}": expected one of ${Object.keys(VERBS).join(', ')}`);
  }
  return { verb, value: parsed(VERBS[verb as Verb], step[verb], `${where}.${verb}`) } as Step;
}

function parsed<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const { data, error } = schema.safeParse(value);
  if (!error) return data as z.output<T>;
  const issues = error.issues.map(({ path, message }) => {
    const place = [where, ...path.map(String)].filter(Boolean).join('.') || 'the file';
    return `${place}: ${message}`;
  });
  throw new ScenarioError(issues.join('; '));
}

/** A city or service that the scenario does not have would never be found at fault. */
function checkNames({ cities, services, timeline, limits }: Scenario, step: Step, where: string): void {
  const added = timeline.flatMap((one) => (one.verb === 'add' ? [one.value.service] : []));
  const known = { city: Object.keys(cities), service: [...Object.keys(services), ...added] };
  const check = (kind: keyof typeof known, name: string): void => {
    if (known[kind].includes(name)) return;
    throw new ScenarioError(`${where} names the ${kind} "${name}": there are ${known[kind].join(', ')}`);
  };
  for (const service of Object.keys(limits)) check('service', service);
  for (const name of namesIn(step)) check(name.kind, name.name);
}

interface Named {
  readonly kind: 'city' | 'service';
  readonly name: string;
}

function namesIn({ verb, value }: Step): Named[] {
  const all = (kind: Named['kind'], names: readonly string[]): Named[] =>
    names.map((name) => ({ kind, name }));
  switch (verb) {
    case 'chapter':
    case 'wait':
    case 'killHub':
    case 'startHub':
    case 'pauseHub':
    case 'resumeHub':
    case 'add':
      return [];
    case 'delete':
      return all('service', [value]);
    case 'scale':
    case 'edit':
      return all('service', [value.service]);
    case 'expect':
    case 'hold': {
      const { services = {}, cities = {} } = value;
      const within = Object.values(services).flatMap(({ ready, runs, decisions, endpoints }) => [
        ...Object.keys({ ...(typeof ready === 'object' ? ready : {}), ...runs, ...decisions }),
        ...(endpoints ?? []),
      ]);
      const lost = Object.keys(value.unanswered ?? {});
      return [
        ...all('service', [...Object.keys(services), ...lost]),
        ...all('city', [...Object.keys(cities), ...within]),
      ];
    }
    default:
      return all('city', [value]);
  }
}

/** The scenario in parts that can be told one by one; without chapters it is one. They are to be played in order. */
export function chaptersOf(scenario: Scenario): { readonly title: string; readonly scenario: Scenario }[] {
  const parts: { title: string; timeline: Step[] }[] = [];
  for (const step of scenario.timeline) {
    if (step.verb === 'chapter') parts.push({ title: step.value, timeline: [] });
    else if (parts.length === 0) parts.push({ title: scenario.about, timeline: [step] });
    else parts.at(-1)!.timeline.push(step);
  }
  return parts.map(({ title, timeline }) => ({ title, scenario: { ...scenario, timeline } }));
}
