/** `grpc.health.v1.Health`: what Kubernetes' gRPC probes, Envoy and gRPC clients ask before they send requests. */
import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Clock } from '../clock.ts';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../grpc/generated/health_pb.js';
import { ProtocolError } from '../protocol/errors.ts';
import { grpcStatus, readMessage, unary, writeMessage } from './grpc-method.ts';

export interface HealthOptions {
  /** Names of the services, besides "" for the whole server. */
  services: readonly string[];
  isReady(): boolean;
  errorOf(cause: unknown): ProtocolError;
  clock: Clock;
}

type Watcher = ServerWritableStream<Buffer, Buffer>;

/** How soon a watcher learns of a change. */
const LOOK_SECONDS = 0.25;

export class HealthService {
  readonly #options: HealthOptions;
  readonly #watchers = new Map<Watcher, Status>();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get implementation(): UntypedServiceImplementation {
    const { check, list } = Health.method;
    const { errorOf, services } = this.#options;
    return {
      Check: unary(check, errorOf, ({ service }) => {
        if (this.#knows(service)) return { status: this.#status() };
        const known = services.map((name) => `"${name}"`).join(', ');
        throw new ProtocolError(
          'NotFound',
          'service',
          `there is no ${JSON.stringify(service.slice(0, 100))}; expected "" or ${known}`,
        );
      }),
      List: unary(list, errorOf, () => ({
        statuses: Object.fromEntries(['', ...services].map((name) => [name, { status: this.#status() }])),
      })),
      Watch: (call: Watcher) => this.#watch(call),
    };
  }

  /** Tells watchers how it is, and ends their watches: the server is to end. */
  close(): void {
    for (const [watcher, told] of this.#watchers) {
      if (told !== Status.SERVICE_UNKNOWN && told !== this.#status()) this.#tell(watcher, this.#status());
      watcher.end();
    }
  }

  #watch(call: Watcher): void {
    let service: string;
    try {
      ({ service } = readMessage(Health.method.watch.input, call.request));
    } catch (cause) {
      call.emit('error', grpcStatus(this.#options.errorOf(cause)));
      return;
    }
    const isFirst = this.#watchers.size === 0;
    // A watch of an unknown service stays open, as the protocol says: it might still come.
    this.#tell(call, this.#knows(service) ? this.#status() : Status.SERVICE_UNKNOWN);
    call.on('close', () => this.#watchers.delete(call)).on('cancelled', () => this.#watchers.delete(call));
    if (isFirst) this.#lookLater();
  }

  #lookLater(): void {
    this.#options.clock.after(LOOK_SECONDS, () => {
      for (const [call, told] of this.#watchers) {
        if (told !== Status.SERVICE_UNKNOWN && told !== this.#status()) this.#tell(call, this.#status());
      }
      if (this.#watchers.size > 0) this.#lookLater();
    });
  }

  #tell(call: Watcher, status: Status): void {
    this.#watchers.set(call, status);
    call.write(writeMessage(Health.method.watch.output, { status }));
  }

  #knows(service: string): boolean {
    return service === '' || this.#options.services.includes(service);
  }

  #status(): Status {
    return this.#options.isReady() ? Status.SERVING : Status.NOT_SERVING;
  }
}
