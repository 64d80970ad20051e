/** `status.conditions` of every kind: a list of `metav1.Condition`, known by their types. */
import * as z from 'zod';
import { mapList } from './cel.ts';

export const ConditionList = z
  .array(
    z.object({
      type: z.string().max(316),
      status: z.enum(['True', 'False', 'Unknown']),
      reason: z.string().min(1).max(1024),
      message: z.string().max(32_768),
      observedGeneration: z.int().min(0).optional(),
      lastTransitionTime: z.string().max(64).meta({ format: 'date-time' }),
    }),
  )
  .max(16)
  .meta(mapList('type'))
  .optional();
