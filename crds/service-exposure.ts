/** `spec.service`: how the Service of a ModelService is reached, beside the address that it has inside the cluster. */
import * as z from 'zod';
import { cel } from './cel.ts';

export const SERVICE_TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer'] as const;

const CLASS_CHANGE =
  'spec.service.loadBalancerClass cannot change while the type is LoadBalancer; make the type ClusterIP first, then LoadBalancer again';

export const ServiceExposure = z
  .object({
    type: z
      .enum(SERVICE_TYPES)
      .default('ClusterIP')
      .describe(
        'ClusterIP: inside the cluster alone. NodePort: at a port of every node too. LoadBalancer: at an address of its own, where the cluster can give one. A change ends no pod.',
      ),
    nodePort: z
      .int32()
      .min(1)
      .max(65_535)
      .optional()
      .describe(
        'Port of the nodes, from the range that the cluster has for it. Absent: the cluster chooses one.',
      ),
    loadBalancerClass: z
      .string()
      .min(1)
      .max(317)
      .optional()
      .describe('Whose load balancer, where there are several.'),
    annotations: z
      .record(z.string().min(1).max(317), z.string().max(4096))
      .meta({ maxProperties: 32 })
      .optional()
      .describe('Annotations of the Service, such as those by which clouds set up a load balancer.'),
  })
  .meta(
    cel(
      {
        rule: "!has(self.nodePort) || self.type != 'ClusterIP'",
        message: 'spec.service.nodePort needs the type NodePort or LoadBalancer',
      },
      {
        rule: "!has(self.loadBalancerClass) || self.type == 'LoadBalancer'",
        message: 'spec.service.loadBalancerClass needs the type LoadBalancer',
        messageExpression:
          "'spec.service.loadBalancerClass needs the type LoadBalancer; the type is ' + self.type",
      },
      {
        rule: "oldSelf.type != 'LoadBalancer' || self.type != 'LoadBalancer' || (has(self.loadBalancerClass) ? has(oldSelf.loadBalancerClass) && self.loadBalancerClass == oldSelf.loadBalancerClass : !has(oldSelf.loadBalancerClass))",
        message: CLASS_CHANGE,
      },
      {
        rule: "!has(self.annotations) || self.annotations.all(name, !name.startsWith('aicity.io/'))",
        message: 'spec.service.annotations must not begin with aicity.io/, which the operator uses itself',
      },
    ),
  )
  .describe('How clients outside the cluster reach the service. Absent: not at all.');
export type ServiceExposure = z.infer<typeof ServiceExposure>;
