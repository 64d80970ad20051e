/**
 * `inference.GRPCInferenceService`: the Open Inference Protocol over gRPC, and of Triton's calls those that ask for
 * statistics and the repository. What can be asked over REST is answered the same here, with the same sentences.
 */
import type { handleBidiStreamingCall, handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../clock.ts';
import { checkInputs } from '../engine/check.ts';
import { GRPCInferenceService, type ModelInferRequest } from '../grpc/generated/inference_pb.js';
import { modelMetadata, platforms, serverMetadata } from '../protocol/documents.ts';
import { httpStatus, ProtocolError } from '../protocol/errors.ts';
import { decodeGrpcInfer, encodeGrpcInfer } from '../protocol/grpc-infer.ts';
import { statisticsMessage } from '../protocol/statistics.ts';
import type { Admission } from './admission.ts';
import { guardOf } from './grpc-guard.ts';
import { grpcStatus, readMessage, unary, writeMessage } from './grpc-method.ts';
import { StreamedInference } from './grpc-stream.ts';
import type { HostedModel } from './hosted-model.ts';
import type { Call, Inference, Result } from './inference.ts';
import { type ModelCatalog, versionsMeant } from './model-catalog.ts';
import { versionOf } from './named-model.ts';
import { defaultOf } from './signatures.ts';
import { type Statistics, statisticsOf } from './statistics.ts';
import {
  type About,
  CLIENT_CLOSED,
  type RequestObserver,
  type TraceContext,
  type Tracing,
} from './tracing.ts';

export interface GrpcInferenceOptions {
  models: Pick<
    ModelCatalog,
    'find' | 'entries' | 'isReady' | 'isDraining' | 'queueOf' | 'load' | 'unload' | 'get'
  >;
  inference: Inference;
  statistics: Statistics;
  admission: Admission;
  observer: RequestObserver;
  tracing?: Tracing | undefined;
  /** Of this server, for its metadata. */
  serverVersion: string;
  /** Why the process should be restarted, if it should. */
  illness(): string | undefined;
  clock: Clock;
}

const { method } = GRPCInferenceService;
/** An empty version means the newest. */
const which = (version: string) => (version === '' ? {} : { version });

export class GrpcInference {
  readonly #options: GrpcInferenceOptions;
  readonly #streams = new Set<StreamedInference>();

  constructor(options: GrpcInferenceOptions) {
    this.#options = options;
  }

  get implementation(): UntypedServiceImplementation {
    const { models, statistics, serverVersion, inference } = this.#options;
    const errorOf = (cause: unknown) => inference.errorOf(cause);
    return {
      ServerLive: unary(method.serverLive, errorOf, () => ({ live: this.#options.illness() === undefined })),
      ServerReady: unary(method.serverReady, errorOf, () => ({ ready: models.isReady })),
      ModelReady: unary(method.modelReady, errorOf, ({ name, version }) => ({
        ready: this.#isModelReady(name, version),
      })),
      ServerMetadata: unary(method.serverMetadata, errorOf, () => serverMetadata(serverVersion)),
      ModelMetadata: unary(method.modelMetadata, errorOf, ({ name, version }) =>
        metadataOf(models.find(name, which(version)), versionsMeant(models, name, version || undefined)),
      ),
      ModelInfer: this.#modelInfer,
      ModelStreamInfer: this.#modelStreamInfer,
      ModelStatistics: unary(method.modelStatistics, errorOf, ({ name, version }) =>
        statisticsMessage(statisticsOf(models, statistics, name === '' ? undefined : name, which(version))),
      ),
      RepositoryIndex: unary(method.repositoryIndex, errorOf, ({ ready }) => ({
        models: models
          .entries()
          .filter(({ state }) => !ready || state === 'READY')
          .map(({ version = '', ...entry }) => ({ ...entry, version })),
      })),
      RepositoryModelLoad: unary(method.repositoryModelLoad, errorOf, async ({ modelName }) => {
        await models.load(modelName);
        return {};
      }),
      RepositoryModelUnload: unary(method.repositoryModelUnload, errorOf, async ({ modelName }) => {
        await models.unload(modelName);
        return {};
      }),
    };
  }

  readonly #modelInfer: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    const left = secondsLeft(call, this.#options.clock);
    const guard = guardOf(call);
    guard.took(call.request.length);
    const done = (result: Result<Buffer>) => {
      if ('error' in result) {
        callback(grpcStatus(result.error));
        return;
      }
      guard.holds(result.answer.length);
      callback(null, result.answer);
    };
    const caller = {
      traceparent: call.metadata.get('traceparent')[0]?.toString(),
      tracestate: call.metadata.get('tracestate')[0]?.toString(),
    };
    call.on('cancelled', this.infer(call.request, left, done, caller));
  };

  readonly #modelStreamInfer: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    const stream = new StreamedInference(call, this, guardOf(call));
    this.#streams.add(stream);
    call.on('close', () => this.#streams.delete(stream));
  };

  /** Ends streams once what they asked for is answered. */
  close(): void {
    for (const stream of this.#streams) stream.finish();
  }

  /**
   * @param bytes a ModelInferRequest.
   * @param timeoutSeconds how long the caller waits; undefined: for ever.
   * @param done is called once with a ModelInferResponse or why there is none, and not after the withdrawal.
   * @returns the call that withdraws the request.
   */
  infer(
    bytes: Buffer,
    timeoutSeconds: number | undefined,
    done: (result: Result<Buffer>) => void,
    caller: TraceContext = {},
  ): () => void {
    const { admission, clock, inference, observer, models, tracing } = this.#options;
    const trace = tracing?.begin('grpc', caller);
    let named: About['model'];
    const startedAt = clock.monotonicMilliseconds();
    const finish = (result: Result<Buffer>) => {
      const status = 'error' in result ? httpStatus[result.error.kind] : 200;
      const about = { model: named, timings: 'error' in result ? undefined : result.timings };
      const seconds = (clock.monotonicMilliseconds() - startedAt) / 1000;
      observer.answered('grpc', status, seconds, about, trace?.traceparent ?? caller.traceparent);
      trace?.finish(status, about);
      done(result);
    };
    try {
      // The message itself has been counted as it came.
      const full = admission.add(0);
      if (full) throw full;
      const message = readMessage(method.modelInfer.input, bytes);
      const model = models.find(message.modelName, which(message.modelVersion));
      named = { name: model.name, version: versionOf(model) };
      const withdraw = inference.start(model, () => callOf(model, message, timeoutSeconds), finish);
      return () => {
        if (!withdraw()) return;
        observer.cancelled();
        trace?.finish(CLIENT_CLOSED, { model: named });
      };
    } catch (cause) {
      finish({ error: inference.errorOf(cause) });
      return () => {};
    }
  }

  #isModelReady(name: string, version: string): boolean {
    const { models } = this.#options;
    try {
      models.find(name, which(version));
      return !models.isDraining;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }
}

function callOf(
  model: HostedModel,
  message: ModelInferRequest,
  timeoutSeconds = Number.POSITIVE_INFINITY,
): Call<Buffer> {
  const signature = defaultOf(model);
  const request = decodeGrpcInfer(message, signature);
  return {
    signature: signature.name,
    inputs: checkInputs(signature, request.inputs),
    priority: request.priority,
    timeoutSeconds: Math.min(request.timeoutSeconds ?? Number.POSITIVE_INFINITY, timeoutSeconds),
    answer: (outputs) =>
      writeMessage(
        method.modelInfer.output,
        encodeGrpcInfer({ name: model.name, version: versionOf(model) }, request, outputs),
      ),
  };
}

function metadataOf(model: HostedModel, versions: string[]) {
  const { name, platform, inputs, outputs } = modelMetadata(
    { name: model.name, versions, platform: platforms[model.format] },
    defaultOf(model),
  );
  const tensors = (specs: typeof inputs) => specs.map((spec) => ({ ...spec, shape: spec.shape.map(BigInt) }));
  return { name, versions, platform, inputs: tensors(inputs), outputs: tensors(outputs) };
}

/** How long the client of a call still waits. */
export function secondsLeft(
  call: { getDeadline(): Date | number },
  clock: Pick<Clock, 'epochMilliseconds'>,
): number | undefined {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? Math.max(0, deadline - clock.epochMilliseconds()) / 1000 : undefined;
}
