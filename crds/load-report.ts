/**
 * The load report: what a model-server pod tells the operator every few seconds (`POST /v1/reports`), and the reply.
 * The pod is known by its token, not by what it says; `pod` is there to refuse a report that claims to be another's.
 */
import * as z from 'zod';
import { MODEL_FORMATS } from './model-service.ts';
import { ModelAssignment } from './pod-contract.ts';

/** A replica's own view of itself. `Failed`: the wanted model cannot be served, `error` says why. */
export const REPLICA_STATES = ['Starting', 'Loading', 'Serving', 'Draining', 'Failed'] as const;

/** Why a model cannot be served; each becomes a condition's reason. */
export const LOAD_ERROR_REASONS = [
  'SourceUnreachable',
  'SourceNotFound',
  'AccessDenied',
  'DigestMismatch',
  'SignatureMissing',
  'SignatureInvalid',
  'FormatUnknown',
  'VersionNotFound',
  'ModelInvalid',
  'OutOfMemory',
  'WarmUpFailed',
  'EngineFailed',
] as const;
export type LoadErrorReason = (typeof LOAD_ERROR_REASONS)[number];

const Model = z.object({
  revision: z.string().max(64),
  /** Version directory served, or absent when the address is one model. */
  version: z.int().min(0).optional(),
  format: z.enum(MODEL_FORMATS),
  /** Digest of what was loaded, as for `spec.model.digest`. */
  digest: z.string().max(128),
});

const Gpu = z.object({
  uuid: z.string().max(128),
  /** Of the product. */
  name: z.string().max(128),
  memoryBytes: z.int().min(0),
  memoryUsedBytes: z.int().min(0),
  /** Share of the last moments in which it computed; absent where the driver does not tell it, as of a slice of a GPU. */
  utilization: z.number().min(0).max(1).optional(),
});

export const LoadReport = z.object({
  pod: z.object({
    namespace: z.string().min(1).max(253),
    name: z.string().min(1).max(253),
    uid: z.string().min(1).max(64),
  }),
  service: z.string().min(1).max(253),
  /** Grows by one with every report of one process; a report that arrives out of order is dropped. */
  sequence: z.int().min(0),
  /** Milliseconds since the epoch at which the process started; a newer process resets `sequence`. */
  startedAt: z.int().min(0),
  state: z.enum(REPLICA_STATES),
  /** The model that answers requests now; absent when none does. */
  serving: Model.extend({
    /** The newest successful inference (warm-up or real), in milliseconds since the epoch by the pod's clock. */
    lastInferenceAt: z.int().min(0).optional(),
  }).optional(),
  /** The wanted model when it is not the one that is served: its revision and how far it is. */
  loading: z.object({ revision: z.string().max(64), message: z.string().max(1024) }).optional(),
  /** Why the wanted revision cannot be served. An older model may still be serving beside it. */
  error: z
    .object({
      revision: z.string().max(64),
      reason: z.enum(LOAD_ERROR_REASONS),
      message: z.string().max(1024),
    })
    .optional(),
  load: z.object({
    /**
     * Share of the last `windowSeconds` in which the busier of the replica's two threads worked for requests, 0 to 1:
     * the engine, or with very small models the one that reads and writes requests.
     */
    busyShare: z.number().min(0).max(1),
    /** Requests that wait at the moment of the report. */
    queued: z.int().min(0),
    /** Requests that are being computed at the moment of the report. */
    inFlight: z.int().min(0),
    /** Mean time that the requests finished in the window had waited, in milliseconds; 0 when there were none. */
    queueTimeMilliseconds: z.number().min(0),
    requestsPerSecond: z.number().min(0),
    /** Requests refused (queue full, too late) per second. */
    rejectedPerSecond: z.number().min(0),
    windowSeconds: z.number().positive().max(300),
    /** Those that the replica sees. */
    gpus: z.array(Gpu).max(64).optional(),
  }),
});
export type LoadReport = z.infer<typeof LoadReport>;

/** Largest accepted body of a report, in bytes. */
export const LOAD_REPORT_MAX_BYTES = 16_384;

export const LoadReportReply = z.object({
  /** What to serve from now on; absent: keep serving what you serve (a pod that is about to be replaced). */
  assignment: ModelAssignment.optional(),
  /** Seconds to wait before the next report. */
  intervalSeconds: z.number().positive().max(300),
});
export type LoadReportReply = z.infer<typeof LoadReportReply>;
