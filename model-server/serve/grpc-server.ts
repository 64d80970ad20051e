/** The gRPC side of serving: the services on one server, without TLS as the HTTP side, and its end. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { sleep } from '../clock.ts';
import { file_health, Health } from '../grpc/generated/health_pb.js';
import { file_inference, GRPCInferenceService } from '../grpc/generated/inference_pb.js';
import { file_reflection_v1 } from '../grpc/generated/reflection_v1_pb.js';
import { file_reflection_v1alpha } from '../grpc/generated/reflection_v1alpha_pb.js';
import { CallGuards, type GrpcTimeouts } from './grpc-guard.ts';
import { HealthService } from './grpc-health.ts';
import { GrpcInference, type GrpcInferenceOptions } from './grpc-inference.ts';
import { definitionOf } from './grpc-method.ts';
import { reflection, reflectionServices } from './grpc-reflection.ts';

export interface GrpcServerOptions extends GrpcInferenceOptions {
  log: Logger;
}

export interface GrpcDrain {
  lagSeconds: number;
  limitSeconds: number;
  /** Aborted when somebody does not want to wait for the lag any longer. */
  hurry: AbortSignal;
}

const FILES = [file_inference, file_health, file_reflection_v1, file_reflection_v1alpha];
const SERVICE = GRPCInferenceService.typeName;
/** Bytes of a message that may be on their way before the server has read what came before. */
const FLOW_WINDOW_BYTES = 2 ** 20;
/** Calls of one connection; clients open another connection for more. */
const MOST_CALLS = 1024;
/** As over HTTP. */
const TIMEOUTS: GrpcTimeouts = { messageSeconds: 60, writeSeconds: 60 };
const KEEPALIVE_MILLISECONDS = 60_000;
const KEEPALIVE_TIMEOUT_MILLISECONDS = 20_000;

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #inference: GrpcInference;
  readonly #health: HealthService;
  readonly #server: Server;
  #address: string | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { admission, clock, models, observer } = options;
    const guards = new CallGuards({
      ...{ admission, clock, timeouts: TIMEOUTS },
      refused: ({ status }, seconds) => observer.answered('grpc', status, seconds, {}, undefined),
    });
    this.#server = new Server({
      interceptors: [guards.interceptor],
      'grpc.max_receive_message_length': admission.limits.maxBodyBytes,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': MOST_CALLS,
      'grpc.keepalive_time_ms': KEEPALIVE_MILLISECONDS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MILLISECONDS,
      'grpc-node.flow_control_window': FLOW_WINDOW_BYTES,
      'grpc.enable_channelz': 0,
    });
    const errorOf = (cause: unknown) => options.inference.errorOf(cause);
    this.#inference = new GrpcInference(options);
    this.#health = new HealthService({ services: [SERVICE], isReady: () => models.isReady, errorOf, clock });
    this.#server.addService(definitionOf(GRPCInferenceService), this.#inference.implementation);
    this.#server.addService(definitionOf(Health), this.#health.implementation);
    for (const service of reflectionServices) {
      this.#server.addService(definitionOf(service), reflection(service, FILES, errorOf));
    }
  }

  /**
   * @param host absent: all addresses, with IPv6 where there is any.
   * @param port 0 takes a free one.
   * @returns the port that it listens on.
   */
  async listen({ host, port }: { host?: string; port: number }): Promise<number> {
    if (host !== undefined) return await this.#bind(host, port);
    return await this.#bind('::', port).catch(() => this.#bind('0.0.0.0', port));
  }

  async #bind(host: string, port: number): Promise<number> {
    const authority = (at: number) => `${host.includes(':') ? `[${host}]` : host}:${at}`;
    const bound = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync(authority(port), ServerCredentials.createInsecure(), (error, at) =>
        error ? reject(error) : resolve(at),
      ),
    );
    this.#address = authority(bound);
    return bound;
  }

  /**
   * Sends those that are connected elsewhere, lets calls of others in for the lag, and then finishes what is in
   * flight. Call it once the server says that it is not ready.
   * @returns whether everything was answered within the limit.
   */
  async drain({ lagSeconds, limitSeconds, hurry }: GrpcDrain): Promise<boolean> {
    const { clock, log } = this.#options;
    // GOAWAY: clients finish what they have begun here, and connect anew for what comes next.
    if (this.#address) this.#server.drain(this.#address, (lagSeconds + limitSeconds) * 1000);
    this.#health.close();
    await sleep(clock, lagSeconds, hurry);
    const closed = new Promise<boolean>((resolve) => this.#server.tryShutdown((error) => resolve(!error)));
    this.#health.close();
    this.#inference.close();
    if (await Promise.race([closed, sleep(clock, limitSeconds).then(() => false)])) return true;
    log.error({ limitSeconds }, 'drain limit reached: calls in flight are lost');
    this.#server.forceShutdown();
    return false;
  }
}
