/**
 * CityCluster, on the hub: one city that dials in. People write its spec; the city's agent writes what it knows of
 * itself into the status; the hub writes what it concludes.
 */
import { z } from 'zod';
import { mapList } from './cel.ts';
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

export const CityClusterSpec = z.object({
  taints: z.array(Taint).max(32).meta(mapList('key', 'effect')).optional(),
  drain: z
    .boolean()
    .default(false)
    .describe('For maintenance: every replica leaves, each as soon as another is ready elsewhere.'),
  location: z
    .object({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .optional(),
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
});
export type CityClusterSpec = z.infer<typeof CityClusterSpec>;

export const CityClusterStatus = z.object({
  session: z
    .string()
    .max(64)
    .optional()
    .describe(
      'Changes whenever the city has been out of touch: what was decided before is no longer obeyed.',
    ),
  capacity: z
    .array(
      z.object({
        resource: z.string().max(253),
        total: z.number().min(0).describe('In base units: devices, cores, bytes.'),
        forShares: z
          .number()
          .min(0)
          .describe('What shares may use altogether: the total less what other workloads of the city use.'),
      }),
    )
    .max(64)
    .meta(mapList('resource'))
    .optional(),
  views: z
    .array(
      z.object({
        city: z.string().max(63),
        sees: z.boolean().describe('Whether that city answers this one.'),
        ageSeconds: z.int32().min(0).describe('How old the look was when it was reported.'),
      }),
    )
    .max(500)
    .meta(mapList('city'))
    .optional()
    .describe('What this city sees of others: the second vantage point before anything is moved.'),
  unsteadiness: z
    .object({
      losses: z.int32().min(0).describe('Recent times that the city went silent; quiet hours halve it.'),
      lastChangeTime: z.string().max(64).meta({ format: 'date-time' }),
    })
    .optional(),
});
export type CityClusterStatus = z.infer<typeof CityClusterStatus>;
