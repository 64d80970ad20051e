/** The whole server without its process: engine, host, batcher, admission, metrics and HTTP, wired together. */
import type { Server } from 'node:http';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { LoadReport } from '../../crds/load-report.ts';
import { Serving } from '../../crds/model-service.ts';
import type { Clock } from '../clock.ts';
import type { Engine } from '../engine/engine.ts';
import { LoadWindow } from '../reports/load-window.ts';
import type { Repository } from '../repository/repository.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import { Batcher } from './batcher.ts';
import { createHttpServer, type HttpTimeouts } from './http-server.ts';
import { LoadMeter } from './load-meter.ts';
import { Metrics } from './metrics.ts';
import { ModelHost } from './model-host.ts';
import { protocolsOf, versionOf } from './protocols.ts';

export interface ModelServerOptions {
  name: string;
  serverVersion: string;
  engine: Engine;
  repository: Repository;
  limits: AdmissionLimits;
  clock: Clock;
  log: Logger;
  timeouts?: Partial<HttpTimeouts>;
}

export interface ModelServer {
  readonly http: Server;
  readonly host: ModelHost;
  readonly metrics: Metrics;
  /** Requests that wait or are being computed. */
  unfinished(): number;
  /** The load part of a report; call it once per report, since it moves the window on. */
  load(): LoadReport['load'];
}

/** A run that lasts so many times the time that a request may wait is no run any more. */
const STUCK_RUN_FACTOR = 10;
const SHORTEST_STUCK_SECONDS = 300;

export function createModelServer(options: ModelServerOptions): ModelServer {
  const { name, engine, clock, log } = options;
  const metrics: Metrics = new Metrics({
    queued: () => batcher.queued,
    inFlight: () => batcher.inFlight,
    heldBytes: () => admission.heldBytes,
    busySeconds: () => engine.stats().busySeconds,
    residentBytes: () => engine.stats().residentBytes,
    tensors: () => engine.stats().tensorCount,
    ready: () => host.isReady,
    model: () => {
      const model = host.current;
      if (!model) return undefined;
      const { format, digest, revision } = model;
      return { model: name, version: versionOf(model), format, digest, revision };
    },
  });
  const host = new ModelHost({
    ...{ engine, repository: options.repository, metrics, clock, log },
    serving: Serving.parse(undefined),
  });
  const loopAtStart = performance.eventLoopUtilization();
  const meter = new LoadMeter({
    nowMilliseconds: () => clock.monotonicMilliseconds(),
    engineSeconds: () => engine.stats().busySeconds,
    runSeconds: () => batcher.totalRunSeconds,
    loopSeconds: () => activeSeconds(performance.eventLoopUtilization(loopAtStart)),
  });
  const batcher = new Batcher(
    engine,
    () => host.serving,
    {
      batchFinished: (requests, rows) => metrics.batchFinished(requests, rows),
      requestStarted: (milliseconds) => {
        meter.waited(milliseconds);
        metrics.queuedFor(milliseconds / 1000);
      },
      requestExpired: (milliseconds) => meter.waited(milliseconds),
    },
    clock,
  );
  const admission = new Admission(
    options.limits,
    () => host.serving.queueCapacity,
    () => batcher.queued,
  );
  const protocols = protocolsOf({
    ...{ name, host, serverVersion: options.serverVersion },
    illness: () => stuckRun(batcher.runSeconds, host.serving.requestTimeoutSeconds),
    metrics: async () => ({
      contentType: metrics.registry.contentType,
      text: await metrics.registry.metrics(),
    }),
  });
  const http = createHttpServer({
    ...{ protocols, host, batcher, admission, clock, log },
    metrics: {
      cancelled: () => metrics.cancelled(),
      answered: (protocol, status, seconds) => {
        meter.answered(status);
        metrics.answered(protocol, status, seconds);
      },
    },
    ...(options.timeouts ? { timeouts: options.timeouts } : {}),
  });
  const window = new LoadWindow();
  return {
    ...{ http, host, metrics },
    unfinished: () => batcher.queued + batcher.inFlight,
    load: () => ({ ...window.add(meter.sample()), queued: batcher.queued, inFlight: batcher.inFlight }),
  };
}

const activeSeconds = ({ active }: EventLoopUtilization) => active / 1000;

/** Why the process should be restarted: a run that never ends, as after a fault of a GPU. */
export function stuckRun(runSeconds: number, requestTimeoutSeconds: number): string | undefined {
  const limit = Math.max(STUCK_RUN_FACTOR * requestTimeoutSeconds, SHORTEST_STUCK_SECONDS);
  return runSeconds > limit
    ? `one inference has been running for ${Math.round(runSeconds)} s: the engine is taken for stuck`
    : undefined;
}
