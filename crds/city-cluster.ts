/**
 * CityCluster, on the hub: one city that dials in. People write its spec; the hub writes its status, from what the city
 * reports (city-report.ts) and from what it concludes. The city itself can write neither.
 */
import * as z from 'zod';
import { atomic, cel, mapList } from './cel.ts';
import type { CityCondition } from './city-conditions.ts';
import { CityCapacity } from './city-report.ts';
import { ConditionList } from './condition-list.ts';
import type { API_VERSION } from './model-service.ts';
import { TAINT_EFFECTS } from './placement.ts';

/** A label that every city carries without being given it: its own name. */
export const CITY_LABEL = 'aicity.io/city';

const Taint = z.object({
  key: z.string().min(1).max(317),
  value: z.string().max(63).optional(),
  effect: z
    .enum(TAINT_EFFECTS)
    .describe(
      'NoSchedule: no new replicas. PreferNoSchedule: only what fits nowhere else. NoExecute: replicas leave, each as soon as another is ready elsewhere.',
    ),
});
export type Taint = z.infer<typeof Taint>;

const AddressRange = z
  .string()
  .min(1)
  .max(49)
  .meta(
    cel({
      rule: String.raw`self.matches(r'^([0-9]{1,3}(\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$')`,
      message: 'expected a range of addresses such as 203.0.113.0/24 or 2001:db8::/48',
    }),
  );

export const CityClusterSpec = z.object({
  taints: z.array(Taint).max(32).meta(mapList('key', 'effect')).optional(),
  drain: z
    .boolean()
    .default(false)
    .describe('For maintenance: every replica leaves, each as soon as another is ready elsewhere.'),
  location: z
    .object({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .optional()
    .describe('Where the city is, in degrees; for people and maps, placement goes by labels.'),
  pricePerHour: z
    .number()
    .min(0)
    .optional()
    .describe('What a replica costs here in an hour, in the same currency for all cities.'),
  carbonIntensity: z
    .number()
    .min(0)
    .optional()
    .describe('Grams of carbon dioxide per kilowatt-hour of the power here.'),
  addressRanges: z
    .array(AddressRange)
    .max(32)
    .optional()
    .describe(
      'Where the endpoints of the city are. A route of the hub (spec.placement.route of a ModelService) leads to no other address, whatever the city says; absent, it leaves the city out.',
    ),
});
export type CityClusterSpec = z.infer<typeof CityClusterSpec>;

export const CityClusterStatus = z.object({
  observedGeneration: z.int().optional(),
  namespace: z.string().max(63).optional().describe('Namespace on the hub that belongs to the city.'),
  address: z
    .string()
    .max(512)
    .optional()
    .describe('Where the city says that it can be looked at from other cities.'),
  kubernetesVersion: z.string().max(64).optional(),
  operatorVersion: z.string().max(64).optional(),
  capacity: z.array(CityCapacity).max(64).optional().describe('As last reported by the city.'),
  free: z.string().max(253).optional().describe('GPUs that are free / there, such as 3/8.'),
  services: z.int32().min(0).optional().describe('Services that have replicas in the city.'),
  replicas: z.int32().min(0).optional().describe('Pods of services from the hub that run in the city.'),
  lastHeardTime: z
    .string()
    .max(64)
    .meta({ format: 'date-time' })
    .optional()
    .describe('While the city is silent: when it was heard of last. Absent while it is heard.'),
  steadiness: z
    .object({
      isAbsent: z.boolean(),
      isSettling: z.boolean(),
      losses: z.int32().min(0).describe('Recent times that the city went silent; quiet hours halve it.'),
      changedAtMs: z.int().min(0).describe('When the city last went or came, milliseconds since 1970.'),
    })
    .meta(atomic)
    .optional()
    .describe('The damping that keeps a city that comes and goes from being given what has another place.'),
  conditions: ConditionList,
});
export type CityClusterStatus = Omit<z.infer<typeof CityClusterStatus>, 'conditions'> & {
  conditions?: CityCondition[];
};

/** Cluster-scoped; the name is the name of the city. */
export interface CityCluster {
  apiVersion: typeof API_VERSION;
  kind: 'CityCluster';
  metadata: {
    name: string;
    uid: string;
    generation: number;
    resourceVersion?: string;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
  };
  spec: CityClusterSpec;
  status?: CityClusterStatus;
}
