/**
 * What Prometheus may scrape at `/metrics`. Labels have few values, known beforehand: never a client's text.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { LOAD_ERROR_REASONS, type LoadErrorReason } from '../../crds/load-report.ts';
import type { Gpu } from '../engine/gpus.ts';

/** `v1`: TensorFlow Serving and KServe V1; `v2`: Open Inference Protocol over REST; `grpc`: the same over gRPC. */
export const PROTOCOLS = ['v1', 'v2', 'grpc'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Figures that are read when somebody asks. */
export interface Gauges {
  queued(): number;
  inFlight(): number;
  heldBytes(): number;
  busySeconds(): number;
  residentBytes(): number;
  tensors(): number;
  ready(): boolean;
  /** What is served. */
  models(): { model: string; version: string; format: string; digest: string; revision: string }[];
  gpus(): readonly Gpu[];
  /** What each of them takes. */
  memory(): { model: string; version: string; residentBytes: number; tensors: number }[];
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = this.#counter(
    'aicity_requests_total',
    'Inference requests that were answered, by protocol and HTTP status; gRPC codes as the status of the same meaning.',
    ['protocol', 'status'],
  );
  readonly #seconds = this.#histogram(
    'aicity_request_duration_seconds',
    'From the head of a request to its answer, of requests that were answered 200.',
    SECONDS,
    ['protocol'],
  );
  readonly #queueSeconds = this.#histogram(
    'aicity_queue_duration_seconds',
    'How long a request waited for the engine.',
    SECONDS,
  );
  readonly #computeSeconds = this.#histogram(
    'aicity_compute_duration_seconds',
    'How long a run of the engine took, of one request or of several that were joined, from its start to its outcome: where runs go on side by side, with the wait for a core.',
    SECONDS,
  );
  readonly #batchRequests = this.#histogram(
    'aicity_batch_requests',
    'Requests per run of the engine.',
    SIZES,
  );
  readonly #batchRows = this.#histogram('aicity_batch_rows', 'Rows per run of the engine.', SIZES);
  readonly #cancelled = this.#counter(
    'aicity_requests_cancelled_total',
    'Requests whose client went away before the answer.',
  );
  readonly #loads = this.#counter('aicity_model_loads_total', 'Tries to load a model, by result.', [
    'result',
  ]);
  readonly #loadSeconds = this.#histogram(
    'aicity_model_load_duration_seconds',
    'Fetching, loading and warming up a model, of those that succeeded.',
    [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
  );
  readonly #recycled = this.#counter(
    'aicity_models_recycled_total',
    'Models that were loaded afresh because memory had grown since they were loaded.',
  );
  readonly #reports = this.#counter('aicity_reports_total', 'Load reports to the operator, by result.', [
    'result',
  ]);
  readonly #durations = new Map<Protocol, { observe(seconds: number): void }>();
  readonly #answered = new Map<string, { inc(): void }>();

  constructor(gauges: Gauges) {
    this.#gauge('aicity_requests_queued', 'Requests that wait for the engine.', gauges.queued);
    this.#gauge('aicity_requests_in_flight', 'Requests that are being computed.', gauges.inFlight);
    this.#gauge(
      'aicity_requests_held_bytes',
      'Requests that are not answered yet, and answers that clients have not taken.',
      gauges.heldBytes,
    );
    this.#gauge('aicity_resident_bytes', 'Resident memory of the process.', gauges.residentBytes);
    this.#gauge(
      'aicity_tensors',
      'Tensors that TensorFlow.js holds; growth under load is a leak.',
      gauges.tensors,
    );
    this.#gauge('aicity_ready', '1 when requests are to be sent here.', () => (gauges.ready() ? 1 : 0));
    this.#busySeconds(gauges.busySeconds);
    this.#modelInfo(gauges.models);
    this.#perModel(
      'aicity_model_resident_bytes',
      'By how much resident memory grew while the model was loaded and warmed up; requests served meanwhile count in.',
      () => gauges.memory().map(({ residentBytes, ...labels }) => [labels, residentBytes]),
    );
    this.#perModel(
      'aicity_model_tensors',
      'Tensors that TensorFlow.js holds for the model; 0 for those that run as sessions.',
      () => gauges.memory().map(({ tensors, ...labels }) => [labels, tensors]),
    );
    this.#perGpu('aicity_gpu_memory_bytes', 'Memory of a GPU that the process sees.', gauges.gpus, (gpu) => [
      gpu.memoryBytes,
    ]);
    this.#perGpu(
      'aicity_gpu_memory_used_bytes',
      'Memory of the GPU that is used, by whichever process.',
      gauges.gpus,
      (gpu) => [gpu.memoryUsedBytes],
    );
    this.#perGpu(
      'aicity_gpu_utilization',
      'Share of the last moments in which the GPU computed, from 0 to 1; none for slices of a GPU, of which the driver does not tell it.',
      gauges.gpus,
      ({ utilization }) => (utilization === null ? [] : [utilization]),
    );
    for (const protocol of PROTOCOLS) this.#durations.set(protocol, this.#seconds.labels({ protocol }));
    for (const result of ['Succeeded', ...LOAD_ERROR_REASONS]) this.#loads.inc({ result }, 0);
    for (const result of ['Accepted', 'Refused', 'Unreachable']) this.#reports.inc({ result }, 0);
  }

  answered(protocol: Protocol, status: number, seconds: number): void {
    const key = `${protocol}${status}`;
    let counter = this.#answered.get(key);
    if (!counter) {
      counter = this.#requests.labels({ protocol, status: String(status) });
      this.#answered.set(key, counter);
    }
    counter.inc();
    if (status === 200) this.#durations.get(protocol)?.observe(seconds);
  }

  queuedFor(seconds: number): void {
    this.#queueSeconds.observe(seconds);
  }

  batchFinished(requests: number, rows: number, seconds: number): void {
    this.#computeSeconds.observe(seconds);
    this.#batchRequests.observe(requests);
    this.#batchRows.observe(rows);
  }

  cancelled(): void {
    this.#cancelled.inc();
  }

  loadSucceeded(seconds: number): void {
    this.#loads.inc({ result: 'Succeeded' });
    this.#loadSeconds.observe(seconds);
  }

  recycled(): void {
    this.#recycled.inc();
  }

  loadFailed(reason: LoadErrorReason): void {
    this.#loads.inc({ result: reason });
  }

  reported(result: 'Accepted' | 'Refused' | 'Unreachable'): void {
    this.#reports.inc({ result });
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  #busySeconds(read: () => number): void {
    new Counter({
      name: 'aicity_engine_busy_seconds_total',
      help: 'Time in which the engine computed.',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #perModel(
    name: string,
    help: string,
    read: () => [labels: { model: string; version: string }, value: number][],
  ): void {
    new Gauge({
      ...{ name, help, labelNames: ['model', 'version'], registers: [this.registry] },
      collect() {
        this.reset();
        for (const [{ model, version }, value] of read()) this.set({ model, version }, value);
      },
    });
  }

  #perGpu(name: string, help: string, read: Gauges['gpus'], values: (gpu: Gpu) => readonly number[]): void {
    new Gauge({
      ...{ name, help, labelNames: ['uuid', 'name'], registers: [this.registry] },
      collect() {
        this.reset();
        for (const gpu of read())
          for (const value of values(gpu)) this.set({ uuid: gpu.uuid, name: gpu.name }, value);
      },
    });
  }

  #modelInfo(read: Gauges['models']): void {
    new Gauge({
      name: 'aicity_model_info',
      help: 'Always 1, with each model that is served.',
      labelNames: ['model', 'version', 'format', 'digest', 'revision'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const labels of read()) this.set(labels, 1);
      },
    });
  }
}
