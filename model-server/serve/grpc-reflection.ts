/**
 * gRPC server reflection, v1 and v1alpha, with which `grpcurl` and its like learn what can be called. Both versions
 * have the same messages under other names.
 */
import { type DescFile, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { ServerReflection } from '../grpc/generated/reflection_v1_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../grpc/generated/reflection_v1alpha_pb.js';
import type { ProtocolError } from '../protocol/errors.ts';
import { guardOf } from './grpc-guard.ts';
import { grpcStatus, readMessage, writeMessage } from './grpc-method.ts';

type Method = typeof ServerReflection.method.serverReflectionInfo;
type Answer = NonNullable<MessageInitShape<Method['output']>['messageResponse']>;

export const reflectionServices = [ServerReflection, ServerReflectionAlpha] as const;

/** @param files of all services, these two among them. */
export function reflection(
  service: (typeof reflectionServices)[number],
  files: readonly DescFile[],
  errorOf: (cause: unknown) => ProtocolError,
): UntypedServiceImplementation {
  const symbols = symbolsOf(files);
  const { input, output } = service.method.serverReflectionInfo as Method;
  return {
    ServerReflectionInfo(call: ServerDuplexStream<Buffer, Buffer>) {
      const guard = guardOf(call);
      call.on('end', () => call.end());
      call.on('drain', () => call.resume());
      call.on('data', (bytes: Buffer) => {
        try {
          guard.took(0);
          const request = readMessage(input, bytes);
          const messageResponse = answer(request.messageRequest, files, symbols);
          const message = { validHost: request.host, originalRequest: request, messageResponse };
          const written = writeMessage(output, message);
          // Answers are much longer than questions: of a client that does not read them nothing more is read.
          if (!call.write(written, guard.holds(written.length))) call.pause();
        } catch (cause) {
          call.emit('error', grpcStatus(errorOf(cause)));
        }
      });
    },
  };
}

function answer(
  asked: ReturnType<typeof readMessage<Method['input']>>['messageRequest'],
  files: readonly DescFile[],
  symbols: ReadonlyMap<string, DescFile>,
): Answer {
  switch (asked.case) {
    case 'listServices': {
      const names = files.flatMap(({ services }) => services.map(({ typeName }) => typeName)).sort();
      return { case: 'listServicesResponse', value: { service: names.map((name) => ({ name })) } };
    }
    case 'fileByFilename':
      return described(
        files.find(({ proto }) => proto.name === asked.value),
        `file ${asked.value}`,
      );
    case 'fileContainingSymbol':
      return described(symbols.get(asked.value), `symbol ${asked.value}`);
    case 'allExtensionNumbersOfType':
      if (!symbols.has(asked.value)) return notFound(`type ${asked.value}`);
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value } };
    case 'fileContainingExtension':
      return notFound(`extension ${asked.value.extensionNumber} of ${asked.value.containingType}`);
    case undefined:
      return {
        case: 'errorResponse',
        value: { errorCode: status.INVALID_ARGUMENT, errorMessage: 'the request asks for nothing' },
      };
  }
}

function described(file: DescFile | undefined, what: string): Answer {
  if (!file) return notFound(what);
  // None of our files imports another one.
  const fileDescriptorProto = [toBinary(FileDescriptorProtoSchema, file.proto)];
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function notFound(what: string): Answer {
  const errorMessage = `there is no ${what.slice(0, 200).toWellFormed()}`;
  return { case: 'errorResponse', value: { errorCode: status.NOT_FOUND, errorMessage } };
}

/** Every name that can be asked for: services, methods, messages, fields, enums. */
function symbolsOf(files: readonly DescFile[]): Map<string, DescFile> {
  const symbols = new Map<string, DescFile>();
  for (const file of files) {
    const addMessage = (message: DescMessage) => {
      symbols.set(message.typeName, file);
      for (const { name } of message.fields) symbols.set(`${message.typeName}.${name}`, file);
      for (const { typeName } of message.nestedEnums) symbols.set(typeName, file);
      message.nestedMessages.forEach(addMessage);
    };
    file.messages.forEach(addMessage);
    for (const { typeName } of file.enums) symbols.set(typeName, file);
    for (const { typeName, methods } of file.services) {
      symbols.set(typeName, file);
      for (const { name } of methods) symbols.set(`${typeName}.${name}`, file);
    }
  }
  return symbols;
}
