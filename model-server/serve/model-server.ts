/** The whole server without its process: engine, host, batcher, admission, metrics and HTTP, wired together. */
import type { Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { LoadReport } from '../../crds/load-report.ts';
import { Serving } from '../../crds/model-service.ts';
import type { ModelAssignment } from '../../crds/pod-contract.ts';
import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import { type Gpu, readGpus } from '../engine/gpus.ts';
import { LoadWindow } from '../reports/load-window.ts';
import type { Repository } from '../repository/repository.ts';
import { AccessLog } from './access-log.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import type { BatcherEvents } from './batcher.ts';
import { GpuWatch } from './gpu-watch.ts';
import { GrpcServer } from './grpc-server.ts';
import { createHttpServer, type HttpTimeouts } from './http-server.ts';
import { Inference } from './inference.ts';
import { JsonThreads } from './json-threads.ts';
import { LoadMeter } from './load-meter.ts';
import { LoadTurns } from './load-turns.ts';
import { Metrics } from './metrics.ts';
import { ModelCatalog } from './model-catalog.ts';
import { ModelUses } from './model-uses.ts';
import { NamedModel, versionOf } from './named-model.ts';
import { protocolsOf } from './protocols.ts';
import { Recycling, type RecyclingLimits } from './recycling.ts';
import { Statistics } from './statistics.ts';
import type { RequestObserver, Tracing } from './tracing.ts';
import type { VersionPolicy } from './version-policy.ts';

/** What is to be served under one name. */
export interface ServedName {
  readonly name: string;
  /** Absent where an operator will say it. */
  readonly assignment?: ModelAssignment;
  /** Which versions are served side by side; absent: one. */
  readonly policy?: VersionPolicy;
  /** Names for versions, such as `stable`. */
  readonly labels?: ReadonlyMap<string, number>;
}

export interface ModelServerOptions {
  /** At least one; exactly one under an operator. */
  models: readonly ServedName[];
  /** Whether an operator decides what is served. */
  isManaged: boolean;
  serverVersion: string;
  engine: Engine;
  repository: Repository;
  limits: AdmissionLimits & RecyclingLimits;
  clock: Clock;
  log: Logger;
  timeouts?: Partial<HttpTimeouts>;
  /** Of the requests that are logged, 0 to 1; default: none. */
  accessLogShare?: number;
  tracing?: Tracing | undefined;
}

export interface ModelServer {
  readonly http: Server;
  readonly grpc: GrpcServer;
  readonly models: ModelCatalog;
  /** Looks for what is to be served; call it once the server listens. */
  start(): void;
  readonly metrics: Metrics;
  /** Requests that wait or are being computed. */
  unfinished(): number;
  /** The load part of a report; call it once per report, since it moves the window on. */
  load(): LoadReport['load'];
}

/** A run that lasts so many times the time that a request may wait is no run any more. */
const STUCK_RUN_FACTOR = 10;
const SHORTEST_STUCK_SECONDS = 300;
/** Each reads a megabyte of JSON in one to two milliseconds. */
const MOST_JSON_THREADS = 4;

export function createModelServer(options: ModelServerOptions): ModelServer {
  const { engine, clock, log, repository, isManaged } = options;
  const uses = new ModelUses();
  const turns = new LoadTurns(() => {
    const digests = new Set(named.flatMap(({ digests }) => digests));
    repository.keep(digests).catch((error: Error) => log.warn({ error: error.message }, 'cache not tidied'));
  });
  const total = (read: (model: NamedModel) => number) => named.reduce((sum, model) => sum + read(model), 0);
  const metrics: Metrics = new Metrics({
    queued: () => total(({ batcher }) => batcher.queued),
    inFlight: () => total(({ batcher }) => batcher.inFlight),
    heldBytes: () => admission.heldBytes,
    busySeconds: () => engine.stats().busySeconds,
    residentBytes: () => engine.stats().residentBytes,
    tensors: () => engine.stats().tensorCount,
    ready: () => models.isReady,
    gpus: () => gpuWatch.gpus,
    memory: () => {
      const { tensors } = engine.stats();
      return named
        .flatMap(({ served }) => served)
        .map(({ id, name, residentBytes, ...model }) => ({
          ...{ model: name, version: versionOf(model), residentBytes, tensors: tensors.get(id) ?? 0 },
        }));
    },
    models: () =>
      named
        .flatMap(({ served }) => served)
        .map(({ name, format, digest, revision, ...model }) => ({
          ...{ model: name, version: versionOf(model), format, digest, revision },
        })),
  });
  const gpuWatch = new GpuWatch(readGpus, clock);
  const loopAtStart = performance.eventLoopUtilization();
  const meter = new LoadMeter({
    nowMilliseconds: () => clock.monotonicMilliseconds(),
    engineSeconds: () => engine.stats().busySeconds,
    runSeconds: () => total(({ batcher }) => batcher.totalRunSeconds),
    loopSeconds: () => activeSeconds(performance.eventLoopUtilization(loopAtStart)),
  });
  const events: BatcherEvents = {
    batchFinished: (requests, rows, model, milliseconds) => {
      metrics.batchFinished(requests, rows, milliseconds / 1000);
      statistics.ran(model, rows, milliseconds);
    },
    requestStarted: (milliseconds) => {
      meter.waited(milliseconds);
      metrics.queuedFor(milliseconds / 1000);
    },
    requestExpired: (milliseconds) => meter.waited(milliseconds),
  };
  const named = options.models.map(
    ({ name, policy, labels }) =>
      new NamedModel({
        ...{ name, engine, repository, uses, turns, metrics, clock, events },
        log: isManaged ? log : log.child({ model: name }),
        ...(policy && { policy }),
        ...(labels && { labels }),
        serving: Serving.parse(undefined),
      }),
  );
  const models = new ModelCatalog({ models: named, uses, isManaged });
  const admission = new Admission(options.limits);
  const statistics = new Statistics();
  const inference = new Inference({ models, admission, statistics, clock, log });
  const { serverVersion } = options;
  const illness = () =>
    named
      .map(({ batcher, serving }) => stuckRun(batcher.runSeconds, serving.requestTimeoutSeconds))
      .find((each) => each !== undefined);
  const protocols = protocolsOf({
    ...{ models, statistics, serverVersion, illness, clock },
    jsonThreads: new JsonThreads(Math.min(Math.ceil(availableParallelism() / 2), MOST_JSON_THREADS)),
    metrics: async () => ({
      contentType: metrics.registry.contentType,
      text: await metrics.registry.metrics(),
    }),
  });
  const accessLog = new AccessLog({ share: options.accessLogShare ?? 0, log });
  const observer: RequestObserver = {
    cancelled: () => metrics.cancelled(),
    answered: (protocol, status, seconds, about, traceparent) => {
      meter.answered(status);
      metrics.answered(protocol, status, seconds);
      accessLog.answered(protocol, status, seconds, about, traceparent);
    },
  };
  const { tracing } = options;
  const http = createHttpServer({
    ...{ protocols, models, inference, admission, clock, log, observer, tracing },
    ...(options.timeouts ? { timeouts: options.timeouts } : {}),
  });
  const grpc = new GrpcServer({
    ...{ models, inference, statistics, admission, serverVersion, illness, clock, log, observer, tracing },
  });
  const recycling = new Recycling({
    ...{ limits: options.limits, models: named, clock, log },
    residentBytes: () => engine.stats().residentBytes,
    isDraining: () => models.isDraining,
    recycled: () => metrics.recycled(),
  });
  const window = new LoadWindow();
  const queued = () => total(({ batcher }) => batcher.queued);
  const inFlight = () => total(({ batcher }) => batcher.inFlight);
  return {
    ...{ http, grpc, models, metrics },
    start() {
      for (const { name, assignment } of options.models) if (assignment) models.get(name).assign(assignment);
      recycling.start();
      void gpuWatch.start();
    },
    unfinished: () => queued() + inFlight(),
    load: () => ({
      ...{ ...window.add(meter.sample()), queued: queued(), inFlight: inFlight() },
      ...(gpuWatch.gpus.length > 0 && { gpus: gpuWatch.gpus.map(reportedGpu) }),
    }),
  };
}

const reportedGpu = ({ utilization, ...gpu }: Gpu) => ({
  ...gpu,
  ...(utilization !== null && { utilization }),
});

const activeSeconds = ({ active }: EventLoopUtilization) => active / 1000;

/** Why the process should be restarted: a run that never ends, as after a fault of a GPU. */
export function stuckRun(runSeconds: number, requestTimeoutSeconds: number): string | undefined {
  const limit = Math.max(STUCK_RUN_FACTOR * requestTimeoutSeconds, SHORTEST_STUCK_SECONDS);
  return runSeconds > limit
    ? `one inference has been running for ${Math.round(runSeconds)} s: the engine is taken for stuck`
    : undefined;
}
