/**
 * Traces of requests: a caller's W3C trace context (https://www.w3.org/TR/trace-context/) is continued, and each request
 * is a span with the parts of its time below it. Without an endpoint in the environment nothing of it is loaded.
 */
import type { Protocol } from './metrics.ts';
import type { Inferred } from './statistics.ts';

/** What is known of a request once it is answered. */
export interface About {
  readonly model?: { readonly name: string; readonly version: string } | undefined;
  readonly timings?: Inferred | undefined;
}

/** Whoever counts and logs requests. */
export interface RequestObserver {
  /** @param traceparent of the request's span, or of its caller. */
  answered(protocol: Protocol, status: number, seconds: number, about: About, traceparent?: string): void;
  /** A client went away before its answer. */
  cancelled(): void;
}

/** Status of a request whose client went away before its answer, as proxies log it. */
export const CLIENT_CLOSED = 499;

export interface TraceContext {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** One request's span, begun with its head. */
export interface RequestTrace {
  /** `00-TRACE-SPAN-FLAGS`: what the answer carries as `traceresponse`. */
  readonly traceparent: string;
  /** @param status HTTP status, or for gRPC the one of the same meaning; 499 when the client went away. */
  finish(status: number, about: About): void;
}

export interface Tracing {
  begin(protocol: Protocol, caller: TraceContext): RequestTrace;
  /** Sends what is not sent yet, or gives up after a few seconds. */
  close(): Promise<void>;
}

/** Variables that name where spans go, of OpenTelemetry's own specification. */
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] as const;

/** @returns undefined when the environment names no endpoint, or turns tracing off. */
export async function startTracing(
  environment: Readonly<Record<string, string | undefined>>,
  serviceVersion: string,
): Promise<Tracing | undefined> {
  const isWanted = ENDPOINTS.some((name) => environment[name]);
  if (!isWanted || environment['OTEL_SDK_DISABLED'] === 'true') return undefined;
  const { OtlpTracing } = await import('./otlp-tracing.ts');
  return new OtlpTracing(environment, serviceVersion);
}
