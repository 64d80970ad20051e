/** Spans over OTLP/HTTP. Its endpoint, headers, time limits and resource come from OpenTelemetry's variables. */
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Protocol } from './metrics.ts';
import type { Inferred } from './statistics.ts';
import type { About, RequestTrace, TraceContext, Tracing } from './tracing.ts';

const CLOSE_MILLISECONDS = 2000;
const NAMES: Readonly<Record<Protocol, string>> = {
  v1: 'tensorflow.serving/predict',
  v2: 'open-inference/infer',
  grpc: 'inference.GRPCInferenceService/ModelInfer',
};

type Environment = Readonly<Record<string, string | undefined>>;

export class OtlpTracing implements Tracing {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #propagator = new W3CTraceContextPropagator();

  constructor(environment: Environment, serviceVersion: string) {
    const own = resourceFromAttributes({
      'service.name': environment['OTEL_SERVICE_NAME'] || 'aicity-model-server',
      'service.version': serviceVersion,
    });
    this.#provider = new TracerProvider({
      sampler: samplerOf(environment),
      resource: detectResources({ detectors: [envDetector] }).merge(own),
      spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
    });
    this.#tracer = this.#provider.getTracer('aicity-model-server', serviceVersion);
  }

  begin(protocol: Protocol, caller: TraceContext): RequestTrace {
    const parent = this.#propagator.extract(ROOT_CONTEXT, caller, {
      get: (carrier, key) => carrier[key as keyof TraceContext],
      keys: (carrier) => Object.keys(carrier),
    });
    const startedAt = Date.now();
    const span = this.#tracer.startSpan(
      NAMES[protocol],
      { kind: SpanKind.SERVER, startTime: startedAt },
      parent,
    );
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      finish: (status, about) => this.#finish(span, startedAt, status, about),
    };
  }

  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => void setTimeout(resolve, CLOSE_MILLISECONDS).unref());
    await Promise.race([this.#provider.shutdown().catch(() => {}), late]);
  }

  #finish(span: Span, startedAt: number, status: number, { model, timings }: About): void {
    if (!span.isRecording()) return;
    span.setAttribute('http.response.status_code', status);
    if (model) span.setAttributes({ 'model.name': model.name, 'model.version': model.version });
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    const endedAt = Date.now();
    if (timings) {
      span.setAttribute('model.rows', timings.rows);
      this.#parts(span, Math.max(startedAt, endedAt - timings.total), timings);
    }
    span.end(endedAt);
  }

  /** What was measured on the way, one after the other. */
  #parts(parent: Span, from: number, timings: Inferred): void {
    const context = trace.setSpan(ROOT_CONTEXT, parent);
    const parts = { decode: 'input', queue: 'queue', compute: 'infer', encode: 'output' } as const;
    let at = from;
    for (const [name, key] of Object.entries(parts)) {
      const span = this.#tracer.startSpan(name, { startTime: at }, context);
      at += timings[key];
      span.end(at);
    }
  }
}

/** `OTEL_TRACES_SAMPLER`, of which the default follows the caller and else takes all. */
function samplerOf(environment: Environment): Sampler {
  const ratio = Number(environment['OTEL_TRACES_SAMPLER_ARG'] || 1);
  const name = environment['OTEL_TRACES_SAMPLER'] || 'parentbased_always_on';
  const roots: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio >= 0 && ratio <= 1 ? ratio : 1),
  };
  const root = (roots[name.replace('parentbased_', '')] ?? roots['always_on'])?.() as Sampler;
  return name.startsWith('parentbased_') || !(name in roots) ? new ParentBasedSampler({ root }) : root;
}
