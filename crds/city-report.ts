/**
 * CityReport, on the hub in the namespace of a city, written by the city's agent and by nobody else: all that the city
 * holds and has. It is patched only with what has changed; that the city is there is told by the Lease beside it
 * (region.ts), which names the session and the sequence number of the report that is valid.
 */
import * as z from 'zod';
import { atomic } from './cel.ts';

export const CityCapacity = z.object({
  resource: z.string().max(253),
  total: z.number().min(0).describe('In base units: devices, cores, bytes.'),
  forShares: z
    .number()
    .min(0)
    .describe('What shares may use altogether: the total less what other workloads of the city use.'),
  used: z.number().min(0).describe('What all pods of the city ask for.'),
});
export type CityCapacity = z.infer<typeof CityCapacity>;

/** What a city says of one service that it was given. */
export const ClaimStatus = z.object({
  epoch: z.int().min(0).describe('Of the grant that the city obeys.'),
  floor: z.int32().min(0).describe('Replicas that the city guarantees.'),
  ceiling: z.int32().min(0).describe('The most that the city may run.'),
  running: z.int32().min(0).describe('Pods that exist.'),
  ready: z.int32().min(0).describe('Replicas that serve the wanted model.'),
  answering: z
    .int32()
    .min(0)
    .optional()
    .describe(
      'Pods that answer requests, be it with an earlier model; absent where it is as many as are ready.',
    ),
  needed: z.int32().min(0).describe('Replicas that the present load would need: running × load ÷ target.'),
  reason: z.string().max(1024).optional().describe('Of the Ready condition in the city.'),
  message: z
    .string()
    .max(2048)
    .optional()
    .describe('Of the Ready condition in the city, when it is not True.'),
  url: z.string().max(512).optional().describe('Address of the service for clients outside the city.'),
  version: z.string().max(32).optional().describe('Model version that the ready replicas serve.'),
  revision: z.string().max(64).optional().describe('Identity of the model that the ready replicas serve.'),
  busyPercent: z.int32().min(0).optional(),
  queueTimeMilliseconds: z.int32().min(0).optional(),
  requestsPerSecond: z.number().min(0).optional(),
});
export type ClaimStatus = z.infer<typeof ClaimStatus>;

export const CityReportBody = z
  .object({
    session: z
      .string()
      .max(64)
      .describe('Changes whenever the city was out of touch: what was decided before is no longer obeyed.'),
    sequence: z.int().min(0).describe('Higher with every report of the session.'),
    operatorVersion: z.string().max(64).optional(),
    kubernetesVersion: z.string().max(64).optional(),
    address: z
      .string()
      .max(512)
      .optional()
      .describe('Where other cities can look whether this one is there.'),
    capacity: z.array(CityCapacity).max(64).optional(),
    claims: z
      .record(z.string().max(317), ClaimStatus)
      .optional()
      .describe('By namespace/name of the service.'),
  })
  .meta(atomic);
export type CityReportBody = z.infer<typeof CityReportBody>;

export interface CityReport {
  apiVersion: string;
  kind: 'CityReport';
  metadata: { name: string; namespace: string; uid: string; resourceVersion?: string };
  /** Absent until the city has reported for the first time. */
  report?: CityReportBody;
}
