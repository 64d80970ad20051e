/** Calls of any gRPC service, with gRPC's own client. */
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  type ServiceError,
} from '@grpc/grpc-js';

export class GrpcClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']> | Buffer,
    options: CallOptions & { began?: (call: ClientUnaryCall) => void } = {},
  ): Promise<MessageShape<M['output']>> {
    return new Promise((resolve, reject) => {
      const bytes = Buffer.isBuffer(request) ? request : bytesOf(method.input, request);
      const call = this.#client.makeUnaryRequest(
        pathOf(method),
        asItIs,
        (answer: Buffer) => fromBinary(method.output, answer) as MessageShape<M['output']>,
        bytes,
        options,
        (error, answer) => (error ? reject(error) : resolve(answer as MessageShape<M['output']>)),
      );
      options.began?.(call);
    });
  }

  /** `code sentence` of a call that fails. */
  async failure<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']> | Buffer,
    options: CallOptions = {},
  ): Promise<string> {
    try {
      return `no failure but ${JSON.stringify(await this.call(method, request, options), (_, value) => (typeof value === 'bigint' ? String(value) : value))}`;
    } catch (error) {
      const { code, details } = error as ServiceError;
      return `${code} ${details}`;
    }
  }

  /** A stream of answers to one request. */
  watch<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): ClientReadableStream<MessageShape<M['output']>> {
    const read = (answer: Buffer) => fromBinary(method.output, answer) as MessageShape<M['output']>;
    return this.#client.makeServerStreamRequest(pathOf(method), asItIs, read, bytesOf(method.input, request));
  }

  duplex<M extends DescMethod>(
    method: M,
  ): ClientDuplexStream<MessageInitShape<M['input']>, MessageShape<M['output']>> {
    const write = (request: MessageInitShape<M['input']>) => bytesOf(method.input, request);
    const read = (answer: Buffer) => fromBinary(method.output, answer) as MessageShape<M['output']>;
    return this.#client.makeBidiStreamRequest(pathOf(method), write, read);
  }
}

/** A message with gRPC's head, as it is on the wire. */
export function framed(message: Uint8Array, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = isCompressed ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const asItIs = (bytes: Buffer) => bytes;
const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;

function bytesOf<D extends DescMethod['input']>(schema: D, message: MessageInitShape<D>): Buffer {
  return Buffer.from(toBinary(schema, create(schema, message)));
}
