/** gRPC methods out of protobuf-es' descriptions: messages are read and written here, failures become gRPC's codes. */
import {
  create,
  type DescMessage,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type ServiceDefinition,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type FailureKind, invalid, type ProtocolError } from '../protocol/errors.ts';
import { retrySeconds } from './answer.ts';

/** gRPC's code of each kind of failure. */
export const grpcCode: Readonly<Record<FailureKind, status>> = {
  InvalidArgument: status.INVALID_ARGUMENT,
  NotFound: status.NOT_FOUND,
  // As gRPC itself calls a message that is too large.
  PayloadTooLarge: status.RESOURCE_EXHAUSTED,
  ResourceExhausted: status.RESOURCE_EXHAUSTED,
  Unimplemented: status.UNIMPLEMENTED,
  Unavailable: status.UNAVAILABLE,
  DeadlineExceeded: status.DEADLINE_EXCEEDED,
  Internal: status.INTERNAL,
};

/** A failure as gRPC tells it: the same sentence as over HTTP, and for how long to stay away. */
export function grpcStatus(error: ProtocolError): StatusObject {
  const metadata = new Metadata();
  // Honoured by gRPC's own retry policies, as Retry-After is by HTTP clients.
  if (error.kind === 'ResourceExhausted' || error.kind === 'Unavailable') {
    metadata.set('grpc-retry-pushback-ms', String(retrySeconds(error) * 1000));
  }
  // A text that was cut within a character cannot be put into a header.
  return { code: grpcCode[error.kind], details: error.message.toWellFormed(), metadata };
}

const asItIs = (bytes: Buffer) => bytes;

/**
 * The service as gRPC's library wants it. Messages pass as bytes: what cannot be read is then refused by us, with
 * the right code, and what the server has no room for is not read at all.
 */
export function definitionOf(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map(({ name, localName, methodKind }) => [
      name,
      {
        path: `/${service.typeName}/${name}`,
        originalName: localName,
        requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
        responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
        ...{ requestSerialize: asItIs, requestDeserialize: asItIs },
        ...{ responseSerialize: asItIs, responseDeserialize: asItIs },
      },
    ]),
  );
}

/** @throws ProtocolError InvalidArgument when the bytes are no such message. */
export function readMessage<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw invalid('', `the message is no ${schema.typeName}: ${(error as Error).message}`);
  }
}

export function writeMessage<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Buffer {
  const { buffer, byteOffset, byteLength } = toBinary(schema, create(schema, message));
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A method with one request and one answer. @param errorOf what a failure is told as. */
export function unary<I extends DescMessage, O extends DescMessage>(
  { input, output }: { input: I; output: O },
  errorOf: (cause: unknown) => ProtocolError,
  answer: (
    request: MessageShape<I>,
    call: ServerUnaryCall<Buffer, Buffer>,
  ) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
): handleUnaryCall<Buffer, Buffer> {
  const answered = async (call: ServerUnaryCall<Buffer, Buffer>) =>
    writeMessage(output, await answer(readMessage(input, call.request), call));
  return (call, callback) => {
    answered(call).then(
      (bytes) => callback(null, bytes),
      (cause: unknown) => callback(grpcStatus(errorOf(cause))),
    );
  };
}
