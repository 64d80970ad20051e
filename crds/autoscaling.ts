/** `spec.autoscaling`: a HorizontalPodAutoscaler between `spec.replicas` and `maxReplicas`. */
import * as z from 'zod';
import { cel, mapList } from './cel.ts';

export const METRIC_TYPES = ['Load', 'QueueTime', 'CPU', 'Memory'] as const;

const Metric = z
  .object({
    type: z
      .enum(METRIC_TYPES)
      .describe(
        'Load: share of time in which the engine computes. QueueTime: mean wait of a request before it is computed. CPU, Memory: share of the requested resource, from metrics-server.',
      ),
    targetPercent: z
      .int32()
      .min(1)
      .max(1000)
      .optional()
      .describe('Target of Load, CPU and Memory, in percent.'),
    targetMilliseconds: z
      .int32()
      .min(1)
      .max(600_000)
      .optional()
      .describe('Target of QueueTime, in milliseconds.'),
  })
  .meta(
    cel({
      rule: "self.type == 'QueueTime' ? has(self.targetMilliseconds) && !has(self.targetPercent) : has(self.targetPercent) && !has(self.targetMilliseconds)",
      message: 'QueueTime takes targetMilliseconds; Load, CPU and Memory take targetPercent',
      messageExpression:
        "self.type + (self.type == 'QueueTime' ? ' takes targetMilliseconds and no targetPercent' : ' takes targetPercent and no targetMilliseconds')",
    }),
  );

const ScalingRules = z.object({
  stabilizationWindowSeconds: z.int32().min(0).max(3600).optional(),
  selectPolicy: z.enum(['Max', 'Min', 'Disabled']).optional(),
  policies: z
    .array(
      z.object({
        type: z.enum(['Pods', 'Percent']),
        value: z.int32().min(1),
        periodSeconds: z.int32().min(1).max(1800),
      }),
    )
    .max(8)
    .optional(),
});

export const Autoscaling = z
  .object({
    maxReplicas: z.int32().min(1).max(10_000).describe('The ceiling; spec.replicas is the floor.'),
    metrics: z
      .array(Metric)
      .min(1)
      .max(4)
      .meta(mapList('type'))
      .prefault([{ type: 'Load', targetPercent: 70 }])
      .describe('The metric that asks for most replicas decides. Default: Load at 70 percent.'),
    behavior: z
      .object({ scaleUp: ScalingRules.optional(), scaleDown: ScalingRules.optional() })
      .optional()
      .describe('As in HorizontalPodAutoscaler autoscaling/v2.'),
  })
  .describe('Absent: spec.replicas alone decides.');
export type Autoscaling = z.infer<typeof Autoscaling>;
