/** `spec.placement.route`: the way of clients through a Gateway of the hub to the cities of a service. */
import * as z from 'zod';
import { cel } from './cel.ts';
import { OBJECT_NAME } from './names.ts';

/** On what a route leads to: the city; empty where it is none. */
export const ROUTE_LABEL = 'aicity.io/route-to-city';
/** On an EndpointSlice of a route: the host in the city's endpoint, whose addresses it holds. */
export const ROUTE_HOST_ANNOTATION = 'aicity.io/route-host';

const DnsName = (what: string) =>
  z
    .string()
    .min(1)
    .max(253)
    .meta(
      cel({
        rule: `self.matches('${OBJECT_NAME}')`,
        message: `expected the name of a ${what}: lower-case letters, digits, dashes and dots`,
      }),
    );

const Parent = z.object({
  name: DnsName('Gateway'),
  namespace: DnsName('namespace').optional().describe('Absent: that of the ModelService.'),
  sectionName: DnsName('listener').optional().describe('One listener of the Gateway. Absent: all.'),
  port: z.int32().min(1).max(65_535).optional().describe('Only listeners at this port.'),
});

const Hostname = z
  .string()
  .min(1)
  .max(253)
  .meta(
    cel({
      rule: String.raw`self.matches(r'^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')`,
      message: 'expected a name such as traffic.example.org or *.example.org',
    }),
  );

/** Where the backends of a route lead. */
export const ROUTE_BACKENDS = ['Addresses', 'ServiceImport'] as const;

export const Route = z
  .object({
    parentRefs: z.array(Parent).min(1).max(8).describe('Gateways of the hub that the route joins.'),
    hostnames: z
      .array(Hostname)
      .max(16)
      .optional()
      .describe(
        'Hosts of the requests that are for this service. Absent: those of the listener, all of them.',
      ),
    backends: z
      .enum(ROUTE_BACKENDS)
      .default('Addresses')
      .describe(
        'Addresses: each city at its endpoint, if that is in the spec.addressRanges of its CityCluster, with the weight in status.endpoints. ServiceImport: the service as the cluster set of the hub has it, for a hub that is in one with its cities; the cluster set divides the requests.',
      ),
  })
  .describe(
    'Makes an HTTPRoute of the same name, where the hub has the Gateway API: clients of a Gateway go to the cities in proportion to what is ready there.',
  );
export type Route = z.infer<typeof Route>;
