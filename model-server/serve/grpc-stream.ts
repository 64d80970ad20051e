/**
 * One `ModelStreamInfer`: requests are answered in the order in which they are done, as Triton does. Nothing is read from
 * a client that does not read: its answers would fill the memory.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { GRPCInferenceService } from '../grpc/generated/inference_pb.js';
import type { CallGuard } from './grpc-guard.ts';
import type { GrpcInference } from './grpc-inference.ts';
import { grpcStatus, readMessage, writeMessage } from './grpc-method.ts';
import type { Result } from './inference.ts';

const { input, output } = GRPCInferenceService.method.modelStreamInfer;
/** Requests of one stream that are under way; the next ones are not read before one is answered. */
const MOST_UNDER_WAY = 64;

export class StreamedInference {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #service: Pick<GrpcInference, 'infer'>;
  readonly #guard: CallGuard;
  readonly #underWay = new Set<{ withdraw(): void }>();
  #isOver = false;

  constructor(
    call: ServerDuplexStream<Buffer, Buffer>,
    service: Pick<GrpcInference, 'infer'>,
    guard: CallGuard,
  ) {
    this.#call = call;
    this.#service = service;
    this.#guard = guard;
    // Sixteen by default, whatever their size: messages that wait here would have to be refused instead of waiting at the client.
    readableState(call).highWaterMark = 1;
    call.on('data', (bytes: Buffer) => this.#take(bytes));
    call.on('drain', () => this.#readOn());
    call.on('end', () => this.finish());
    call.on('cancelled', () => {
      for (const request of this.#underWay) request.withdraw();
      this.#underWay.clear();
    });
  }

  /** No request is taken any more; the stream ends with its last answer. */
  finish(): void {
    this.#isOver = true;
    if (this.#underWay.size === 0) this.#call.end();
  }

  #take(bytes: Buffer): void {
    if (this.#isOver) return;
    const request = { withdraw() {} };
    this.#underWay.add(request);
    const release = this.#guard.took(bytes.length);
    request.withdraw = this.#service.infer(bytes, undefined, (result) => {
      this.#underWay.delete(request);
      const answer = responseOf(bytes, result);
      release();
      const taken = this.#guard.holds(answer.length);
      this.#call.write(answer, () => {
        taken();
        this.#readOn();
      });
      if (this.#isOver) this.finish();
      else this.#readOn();
    });
    this.#readOn();
  }

  /** Reads, or not: as long as requests may come and answers are taken. */
  #readOn(): void {
    const isFull = this.#underWay.size >= MOST_UNDER_WAY || this.#guard.isFull;
    const mayRead = !isFull && !this.#call.writableNeedDrain;
    if (mayRead !== this.#call.isPaused()) return;
    if (mayRead) this.#call.resume();
    else this.#call.pause();
  }
}

function readableState(call: unknown): { highWaterMark: number } {
  return (call as { _readableState: { highWaterMark: number } })._readableState;
}

/** A failure is an answer like any other here: the stream goes on. */
function responseOf(request: Buffer, result: Result<Buffer>): Buffer {
  if ('error' in result) {
    const { details } = grpcStatus(result.error);
    return writeMessage(output, { errorMessage: details, inferResponse: { id: idOf(request) } });
  }
  // The answer is a message already: only its field's head is missing.
  const { number } = output.field.inferResponse;
  const { buffer, byteOffset, byteLength } = new BinaryWriter()
    .tag(number, WireType.LengthDelimited)
    .bytes(result.answer)
    .finish();
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** So that the client knows which of its requests failed. */
function idOf(request: Buffer): string {
  try {
    return readMessage(input, request).id;
  } catch {
    return '';
  }
}
