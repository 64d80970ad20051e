/**
 * The HTTP side of serving: takes a request from Node's server to its answer. Knows routes, bounds and time limits;
 * what a request means is for the two protocols.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { freeMemory } from '../free-memory.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Admission } from './admission.ts';
import { type Answer, answerUnread, errorAnswer, writeAnswer } from './answer.ts';
import { type Body, declaredBytes, readBody } from './body.ts';
import type { HostedModel } from './hosted-model.ts';
import type { Call, Inference } from './inference.ts';
import { answerMalformed } from './malformed.ts';
import type { Protocol } from './metrics.ts';
import type { ModelCatalog } from './model-catalog.ts';
import { versionOf } from './named-model.ts';
import { type ModelAction, OPERATIONS, type OperationName, type Route, routeOf } from './routes.ts';
import {
  type About,
  CLIENT_CLOSED,
  type RequestObserver,
  type RequestTrace,
  type Tracing,
} from './tracing.ts';

const INFERENCES = ['V1Predict', 'V1Classify', 'V1Regress', 'V2Infer'] as const;
type InferenceAction = (typeof INFERENCES)[number];

export type InferenceRoute =
  | (Extract<Route, { kind: 'Model' }> & { action: InferenceAction })
  /** Its model stands in the body. */
  | { kind: 'Forecast' };
export type OtherRoute =
  | Exclude<Route, { kind: 'Model' | 'Forecast' }>
  | (Extract<Route, { kind: 'Model' }> & { action: Exclude<ModelAction, InferenceAction> });

/** What the server is told about the protocols. All of it throws ProtocolError. */
export interface Protocols {
  /** The model that a route names, if it is served; undefined when the body names it. */
  modelFor(route: InferenceRoute): HostedModel | undefined;
  /** The model that a body names. */
  modelIn(route: InferenceRoute, body: Buffer): HostedModel;
  /** Reads and checks an inference request; nobody else may use the body until that is done. */
  callOf(
    route: InferenceRoute,
    model: HostedModel,
    request: IncomingMessage,
    body: Buffer,
  ): Call<Answer> | Promise<Call<Answer>>;
  /** Answers everything that is no inference. @param body of POST requests. */
  answerOf(route: OtherRoute, request: IncomingMessage, body?: Buffer): Answer | Promise<Answer>;
}

export interface HttpServerOptions {
  protocols: Protocols;
  models: Pick<ModelCatalog, 'isDraining' | 'queueOf'>;
  inference: Inference;
  admission: Admission;
  observer: RequestObserver;
  tracing?: Tracing | undefined;
  clock: Clock;
  log: Logger;
  timeouts?: Partial<HttpTimeouts>;
}

export interface HttpTimeouts {
  headersSeconds: number;
  /** From the first byte of a request to its last. */
  requestSeconds: number;
  /** Longer than clients and proxies keep theirs, so that they end a connection, not we. */
  keepAliveSeconds: number;
  /** For a client to take a byte of its answer. */
  writeSeconds: number;
}

const TIMEOUTS: HttpTimeouts = {
  headersSeconds: 10,
  requestSeconds: 60,
  keepAliveSeconds: 90,
  writeSeconds: 60,
};
/** For requests of which nobody knows yet whose queue they go to. */
const NO_QUEUE = {
  ...{ queued: 0, capacity: Number.POSITIVE_INFINITY },
  ...{ backlogMilliseconds: 0, maxBacklogMilliseconds: Number.POSITIVE_INFINITY },
};
const SMALL_ANSWER = 65_536;
const MOST_HEADER_BYTES = 16_384;
const TIMEOUT_CHECK_MILLISECONDS = 1000;

export function createHttpServer(options: HttpServerOptions): Server {
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const server = createServer({
    maxHeaderSize: MOST_HEADER_BYTES,
    headersTimeout: timeouts.headersSeconds * 1000,
    requestTimeout: timeouts.requestSeconds * 1000,
    keepAliveTimeout: timeouts.keepAliveSeconds * 1000,
    connectionsCheckingInterval: TIMEOUT_CHECK_MILLISECONDS,
    noDelay: true,
  });
  const pending = new WeakMap<object, ServerResponse>();
  const exchange = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    pending.set(request.socket, response);
    new Exchange(options, timeouts, request, response, expectsContinue).start();
  };
  server.on('request', (request, response) => exchange(request, response, false));
  server.on('checkContinue', (request, response) => exchange(request, response, true));
  server.on('clientError', (error, socket) => answerMalformed(error, socket as Socket, pending.get(socket)));
  return server;
}

/** One request and its answer. */
class Exchange {
  readonly #options: HttpServerOptions;
  readonly #timeouts: HttpTimeouts;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #expectsContinue: boolean;
  readonly #startedAt: number;
  #trace: RequestTrace | undefined;
  /** Of its answer, until it is taken. */
  #answerBytes = 0;

  constructor(
    options: HttpServerOptions,
    timeouts: HttpTimeouts,
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ) {
    this.#options = options;
    this.#timeouts = timeouts;
    this.#request = request;
    this.#response = response;
    this.#expectsContinue = expectsContinue;
    this.#startedAt = options.clock.monotonicMilliseconds();
  }

  start(): void {
    const route = routeOf(this.#request.method ?? 'GET', this.#request.url ?? '/');
    if (isInference(route)) this.#infer(route);
    else if (takesBody(route)) this.#answerBody(route as OtherRoute);
    else void this.#answerOther(route as OtherRoute);
  }

  async #answerOther(route: OtherRoute, body?: Buffer): Promise<void> {
    try {
      const answer = await this.#options.protocols.answerOf(route, this.#request, body);
      this.#writeUnread(answer);
    } catch (cause) {
      this.#writeUnread(errorAnswer(this.#errorOf(cause)));
    }
  }

  /** Requests about models: rare, small, and not kept from coming in by a full queue. */
  #answerBody(route: OtherRoute): void {
    const { admission } = this.#options;
    const refusal =
      encodingRefusal(this.#request) ?? admission.refusal(declaredBytes(this.#request), NO_QUEUE);
    if (refusal) {
      this.#writeUnread(errorAnswer(refusal));
      return;
    }
    if (this.#expectsContinue) this.#response.writeContinue();
    readBody(this.#request, admission, (body) => {
      if (body instanceof ProtocolError) {
        this.#writeUnread(errorAnswer(body));
        return;
      }
      this.#response.on('close', () => body.release());
      void this.#answerOther(route, body.bytes);
    });
  }

  #infer(route: InferenceRoute): void {
    const { admission, models, protocols, tracing } = this.#options;
    if (tracing) {
      const { traceparent, tracestate } = this.#request.headers as Record<string, string>;
      this.#trace = tracing.begin(protocolOf(route), { traceparent, tracestate });
      this.#response.setHeader('traceresponse', this.#trace.traceparent);
    }
    try {
      const model = protocols.modelFor(route);
      const queue = model ? models.queueOf(model) : NO_QUEUE;
      const refusal =
        encodingRefusal(this.#request) ?? admission.refusal(declaredBytes(this.#request), queue);
      if (refusal) throw refusal;
    } catch (cause) {
      this.#refuse(route, cause);
      return;
    }
    if (this.#expectsContinue) this.#response.writeContinue();
    readBody(this.#request, admission, (body) => {
      if (body instanceof ProtocolError) this.#refuse(route, body);
      else this.#compute(route, body);
    });
  }

  /** Takes the body to the engine, and gives back what it holds when the client has its answer or is gone. */
  #compute(route: InferenceRoute, body: Body): void {
    const { admission, inference, observer, protocols } = this.#options;
    let withdraw = () => false;
    let reading: Promise<unknown> | undefined;
    this.#response.on('close', () => {
      if (withdraw()) {
        observer.cancelled();
        this.#trace?.finish(CLIENT_CLOSED, {});
      }
      // Whoever still reads the body holds it.
      if (reading) void reading.catch(() => {}).finally(() => body.release());
      else body.release();
      admission.release(this.#answerBytes);
    });
    try {
      const model = protocols.modelFor(route) ?? protocols.modelIn(route, body.bytes);
      const read = () => {
        const call = protocols.callOf(route, model, this.#request, body.bytes);
        if (call instanceof Promise) reading = call;
        // What was read of the body is the request's own by now.
        else freeMemory(body.bytes);
        return call;
      };
      const named = { name: model.name, version: versionOf(model) };
      withdraw = inference.start(model, read, (result) =>
        'error' in result
          ? this.#finish(route, errorAnswer(result.error), { model: named })
          : this.#finish(route, result.answer, { model: named, timings: result.timings }),
      );
    } catch (cause) {
      this.#finish(route, errorAnswer(this.#errorOf(cause)), {});
    }
  }

  #refuse(route: InferenceRoute, cause: unknown): void {
    const answer = errorAnswer(this.#errorOf(cause));
    this.#count(route, answer.status, {});
    this.#writeUnread(answer);
  }

  #finish(route: InferenceRoute, answer: Answer, about: About): void {
    this.#count(route, answer.status, about);
    if (this.#response.destroyed) return;
    this.#answerBytes = answer.body.length;
    this.#options.admission.hold(this.#answerBytes);
    this.#write(answer);
  }

  #writeUnread(answer: Answer): void {
    answerUnread(this.#request, this.#response, answer, this.#options.models.isDraining);
  }

  #write(answer: Answer): void {
    // Small answers fit into the socket's buffer; a large one must not be held for ever for a client that reads none.
    if (answer.body.length > SMALL_ANSWER) this.#response.setTimeout(this.#timeouts.writeSeconds * 1000);
    writeAnswer(this.#response, answer, this.#options.models.isDraining);
  }

  #count(route: InferenceRoute, status: number, about: About): void {
    const seconds = (this.#options.clock.monotonicMilliseconds() - this.#startedAt) / 1000;
    const traceparent =
      this.#trace?.traceparent ?? (this.#request.headers['traceparent'] as string | undefined);
    this.#options.observer.answered(protocolOf(route), status, seconds, about, traceparent);
    this.#trace?.finish(status, about);
  }

  #errorOf(cause: unknown): ProtocolError {
    return this.#options.inference.errorOf(cause);
  }
}

function protocolOf(route: InferenceRoute): Protocol {
  return route.kind === 'Model' && route.action === 'V2Infer' ? 'v2' : 'v1';
}

function encodingRefusal({ headers }: IncomingMessage): ProtocolError | undefined {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return undefined;
  return new ProtocolError(
    'InvalidArgument',
    'Content-Encoding',
    `"${encoding}" found; send the body as it is`,
  );
}

function isInference(route: Route): route is InferenceRoute {
  return (
    route.kind === 'Forecast' ||
    (route.kind === 'Model' && INFERENCES.includes(route.action as InferenceAction))
  );
}

function takesBody(route: Route): boolean {
  const name = route.kind === 'Model' ? route.action : route.kind;
  return Object.hasOwn(OPERATIONS, name) && OPERATIONS[name as OperationName].method === 'POST';
}
