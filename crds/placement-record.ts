/**
 * `status.placement` of a ModelService on a hub: what the hub must remember of a service to decide again after a restart
 * (operator/plan/failover/records.ts). Times are milliseconds since 1970 on the hub's clock; no city's clock is in it.
 */
import * as z from 'zod';
import { atomic } from './cel.ts';
import { WAITING_REASONS, type WaitingReason } from './placement.ts';
import { ShareGrant } from './region.ts';

const ms = z.int().min(0);

const ShareRecordStatus = z.object({
  city: z.string().max(63),
  assigned: z.int32().min(0).describe('Replicas that are meant for the city.'),
  grant: ShareGrant.describe('What was last granted.'),
  mayHold: z.int32().min(0).describe('The most that the city may have obeyed meanwhile.'),
  phase: z.enum(['Serving', 'Suspect', 'Confirming', 'Moving', 'Moved', 'Returning']),
  phaseSinceMs: ms.optional(),
  movingReplicas: z.int32().min(0).optional(),
  hold: z
    .object({ because: z.enum(['SeenByOther', 'NoSecondView', 'Turn']), by: z.string().max(63).optional() })
    .optional(),
  isYielding: z.boolean().optional(),
  missingSinceMs: ms.optional(),
});

export const PlacementRecord = z
  .object({
    epoch: z.int().min(0).describe('Of the last grant; every grant has a higher one.'),
    waiting: z.int32().min(0).describe('Replicas without a city.'),
    reason: z.enum(Object.keys(WAITING_REASONS) as [WaitingReason, ...WaitingReason[]]).optional(),
    message: z.string().max(2048).optional(),
    isProvisional: z.boolean().optional(),
    movingSinceMs: ms.optional(),
    shares: z.array(ShareRecordStatus).max(500).optional(),
    unfit: z
      .array(z.object({ city: z.string().max(63), times: z.int32().min(1), untilMs: ms }))
      .max(500)
      .optional(),
  })
  .meta(atomic);
export type PlacementRecord = z.infer<typeof PlacementRecord>;
