/**
 * `spec.placement`: which cities serve a ModelService on a hub, and how the replicas are split among them. The closed
 * lists of reasons at the end are the words in which every decision is told.
 */
import * as z from 'zod';
import { cel, mapList } from './cel.ts';
import { Route } from './route.ts';

const LabelKey = z.string().min(1).max(317);
const LabelValue = z.string().max(63);

const MatchExpression = z
  .object({
    key: LabelKey,
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: z.array(LabelValue).max(64).optional(),
  })
  .meta(
    cel({
      rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
      message: 'In and NotIn need values; Exists and DoesNotExist take none',
      messageExpression:
        "self.operator + (self.operator in ['In', 'NotIn'] ? ' needs at least one value' : ' takes no values')",
    }),
  );

export const LabelSelector = z
  .object({
    matchLabels: z.record(LabelKey, LabelValue).meta({ maxProperties: 32 }).optional(),
    matchExpressions: z.array(MatchExpression).max(32).optional(),
  })
  .describe('As in Kubernetes: all parts must match; an empty selector matches every city.');
export type LabelSelector = z.infer<typeof LabelSelector>;

export const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;
export type TaintEffect = (typeof TAINT_EFFECTS)[number];

const Toleration = z
  .object({
    key: LabelKey.optional().describe('Absent with operator Exists: every taint.'),
    operator: z.enum(['Exists', 'Equal']).default('Equal'),
    value: LabelValue.optional(),
    effect: z.enum(TAINT_EFFECTS).optional().describe('Absent: every effect.'),
  })
  .meta(
    cel(
      {
        rule: "has(self.key) || self.operator == 'Exists'",
        message: 'a toleration without a key needs operator Exists',
      },
      {
        rule: "self.operator != 'Exists' || !has(self.value)",
        message: 'operator Exists takes no value',
      },
    ),
  );
export type Toleration = z.infer<typeof Toleration>;

const weight = (what: string) => z.int32().min(0).max(100).optional().describe(what);

const Spread = z
  .object({
    topologyKey: LabelKey.describe(
      'Cities with the same value of this label are one group; a city without it gets no replica. aicity.io/city makes each city a group.',
    ),
    minGroups: z.int32().min(1).max(500).optional().describe('Replicas stand in at least so many groups.'),
    maxGroups: z.int32().min(1).max(500).optional().describe('Replicas stand in at most so many groups.'),
    maxSkew: z
      .int32()
      .min(1)
      .max(10_000)
      .optional()
      .describe('No group has more than so many replicas more than the allowed group with the fewest.'),
    whenUnsatisfiable: z
      .enum(['DoNotSchedule', 'ScheduleAnyway'])
      .default('ScheduleAnyway')
      .describe(
        'ScheduleAnyway: rather uneven than fewer replicas. DoNotSchedule: replicas wait until they can stand as asked.',
      ),
  })
  .meta(
    cel({
      rule: '!has(self.minGroups) || !has(self.maxGroups) || self.minGroups <= self.maxGroups',
      message: 'spec.placement.spread.minGroups must not exceed maxGroups',
      messageExpression:
        "'spec.placement.spread.minGroups is %d and maxGroups is %d: lower minGroups or raise maxGroups'.format([self.minGroups, self.maxGroups])",
    }),
  );
export type Spread = z.infer<typeof Spread>;

export const Placement = z
  .object({
    residency: LabelSelector.optional().describe(
      'Where the service may be at all. Never broken: not for want of room, not in a failover. Replicas in a city that ceases to match are withdrawn at once, replaced or not.',
    ),
    selector: LabelSelector.optional().describe(
      'Cities that take replicas. A city that ceases to match keeps its replicas until others are ready elsewhere.',
    ),
    groups: z
      .array(z.object({ name: z.string().min(1).max(63), selector: LabelSelector }))
      .max(16)
      .meta(mapList('name'))
      .optional()
      .describe(
        'In order: the first group in which all replicas fit takes them. Where none has room for all, the groups are filled in order.',
      ),
    preferred: z
      .array(z.object({ weight: z.int32().min(1).max(100), selector: LabelSelector }))
      .max(32)
      .optional()
      .describe(
        'A city scores the weight of each selector that it matches. Replicas are split in proportion to the scores; a city without any gets what no other can hold.',
      ),
    weights: z
      .object({
        freeCapacity: weight(
          'Added to the score of the city with most room; less room scores in proportion.',
        ),
        price: weight('Added to the score of the cheapest city; twice the price scores half.'),
        carbonIntensity: weight('Added to the score of the city with the cleanest power; likewise.'),
      })
      .optional()
      .describe('Absent, and without preferred: every city scores the same.'),
    spread: Spread.optional(),
    tolerations: z.array(Toleration).max(32).optional(),
    priority: z
      .int32()
      .min(-1_000_000)
      .max(1_000_000)
      .default(0)
      .describe(
        'Where there is not room for all, guaranteed replicas of a higher priority go first, and take the place of lower ones.',
      ),
    failover: z
      .object({
        graceSeconds: z
          .int32()
          .min(15)
          .max(86_400)
          .default(90)
          .describe('How long a city may be silent before its replicas are started elsewhere.'),
      })
      .prefault({}),
    route: Route.optional(),
  })
  .describe(
    'Which cities serve, and how many replicas each. spec.replicas is then the number over all cities.',
  );
export type Placement = z.infer<typeof Placement>;

/** Why a city has the replicas that it has. */
export const DECISION_REASONS = {
  Placed: 'The city has its part of the replicas.',
  Starting: 'Replicas have been given to the city and are not ready yet.',
  NotBecomingReady: 'Replicas in the city do not become ready; other cities are tried first.',
  StandsIn: 'Replicas start here for a city that was lost.',
  WaitsForRoom: 'Replicas are meant for the city and start when others have made room.',
  WaitsForTurn: 'Enough services are on the move already; this one follows.',
  KeepsOnly: 'The city keeps what it has and takes no new replicas.',
  Leaving: 'The replicas leave, each as soon as another one is ready elsewhere.',
  Yielding: 'The replicas make room for a service of a higher priority.',
  ResidencyForbids: 'spec.placement.residency forbids the city; its replicas are withdrawn at once.',
  Suspect: 'The city has not been heard of for a while; within the grace nothing is done.',
  Confirming: 'The grace is over; other cities are asked whether they see the city.',
  SeenByOther: 'The city is cut off from the hub and another city sees it, so its replicas stay.',
  Lost: 'The city is lost; its replicas are started elsewhere.',
  Replaced: 'The city is lost and its replicas are replaced; what it holds is withdrawn when it returns.',
  Returning: 'The city is back and has reported; what is held twice is withdrawn first.',
} as const;
export type DecisionReason = keyof typeof DECISION_REASONS;

/** Why replicas have no city. */
export const WAITING_REASONS = {
  NoCityAllowed: 'No city may take the service.',
  InsufficientCapacity: 'The cities that may take the service have no room.',
  SpreadUnsatisfied: 'spec.placement.spread cannot be kept with more replicas.',
  HigherPriorityFirst: 'Services of a higher priority have taken the room.',
  CitiesNotHeard: 'The hub has just started and has not heard of every city yet.',
} as const;
export type WaitingReason = keyof typeof WAITING_REASONS;

/** One entry of `status.decisions[]`: one per city, keyed by its name. */
export const PlacementDecision = z.object({
  city: z.string().max(63),
  replicas: z.int32().min(0).describe('Replicas that the city is to guarantee.'),
  reason: z.enum(Object.keys(DECISION_REASONS) as [DecisionReason, ...DecisionReason[]]),
  message: z.string().max(1024),
});
export type PlacementDecision = z.infer<typeof PlacementDecision>;
