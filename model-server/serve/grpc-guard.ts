/**
 * What a call may hold. gRPC's library gathers a message until it is whole, and keeps answers until they are taken, however
 * many clients begin and for however long they stand still. Here all of that counts as bytes that the server holds, from the
 * first one on, and a call that stands still is ended.
 */
import { constants, type ServerHttp2Stream } from 'node:http2';
import type {
  Metadata,
  ServerInterceptingCall,
  ServerInterceptingCallInterface,
  ServerInterceptor,
} from '@grpc/grpc-js';
import type { Clock } from '../clock.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Admission } from './admission.ts';
import { MessageMeter } from './grpc-messages.ts';
import { grpcStatus } from './grpc-method.ts';

export interface GrpcTimeouts {
  /** From the first byte of a message to its last. */
  messageSeconds: number;
  /** For a client to take a byte of its answer. */
  writeSeconds: number;
}

export interface CallGuardOptions {
  admission: Admission;
  clock: Pick<Clock, 'after' | 'monotonicMilliseconds'>;
  timeouts: GrpcTimeouts;
  /** Told of calls that end here. @param seconds since they began. */
  refused(refusal: ProtocolError, seconds: number): void;
}

/** What the library keeps to itself of a call; its version is pinned. */
interface Internals {
  readonly stream: ServerHttp2Stream;
  /** The object that the call's handler gets. */
  readonly metadata: Metadata;
}

/** So much may always come: a server with no room for requests still tells how it is. */
const SMALL_BYTES = 4096;
/** Of all that the server may hold, the part that one call should not exceed. */
const CALL_SHARE = 8;

export class CallGuards {
  readonly #options: CallGuardOptions;
  readonly #guards = new WeakMap<Metadata, CallGuard>();

  constructor(options: CallGuardOptions) {
    this.#options = options;
  }

  /** Sees every call as it begins, and is no part of it afterwards. */
  readonly interceptor: ServerInterceptor = ({ requestStream }, call) => {
    const { stream, metadata } = call as unknown as Internals;
    this.#guards.set(metadata, new CallGuard(this.#options, call, stream, requestStream));
    return call as ServerInterceptingCall;
  };

  of({ metadata }: { readonly metadata: Metadata }): CallGuard {
    return this.#guards.get(metadata)!;
  }
}

export class CallGuard {
  readonly #options: CallGuardOptions;
  readonly #call: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;
  readonly #isRequestStream: boolean;
  readonly #messages: MessageMeter;
  /** Bytes that have come and that no handler has taken. */
  #waiting = 0;
  /** Bytes of what handlers have taken and of answers. */
  #taken = 0;
  readonly #beganAt: number;
  #isWhole = false;
  /** Refused or closed: nothing more is taken in. */
  #isOver = false;
  #isClosed = false;
  #answers = false;
  #stopWaiting: (() => void) | undefined;

  constructor(
    options: CallGuardOptions,
    call: ServerInterceptingCallInterface,
    stream: ServerHttp2Stream,
    isRequestStream: boolean,
  ) {
    this.#options = options;
    this.#call = call;
    this.#stream = stream;
    this.#isRequestStream = isRequestStream;
    this.#beganAt = options.clock.monotonicMilliseconds();
    this.#messages = new MessageMeter(options.admission.limits.maxBodyBytes);
    // Before the library, which lets go of what comes to a call that was refused.
    stream.prependListener('data', (chunk: Buffer) => this.#came(chunk));
    stream.once('end', () => {
      this.#isWhole = true;
      this.#wait();
    });
    stream.on('timeout', () => {
      if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.once('close', () => this.#close());
  }

  /** Whether what is under way is all that one call should have: its handler reads on later. */
  get isFull(): boolean {
    return this.#taken >= this.#options.admission.limits.maxHeldBytes / CALL_SHARE;
  }

  /**
   * A message is the handler's now, and counts as what it has become.
   *
   * @returns what gives its bytes back; the end of the call does so too.
   */
  took(bytes: number): () => void {
    if (this.#isClosed) return () => {};
    const counted = this.#messages.take();
    this.#waiting -= counted;
    this.#options.admission.release(counted);
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#wait();
    return this.#hold(bytes);
  }

  /**
   * An answer goes out, and a client that takes nothing of what is there for it is left.
   *
   * @returns what gives its bytes back; the end of the call does so too.
   */
  answers(bytes: number): () => void {
    if (!this.#answers) {
      this.#answers = true;
      this.#stream.setTimeout(this.#options.timeouts.writeSeconds * 1000);
    }
    return this.#hold(bytes);
  }

  #hold(bytes: number): () => void {
    if (this.#isClosed) return () => {};
    this.#taken += bytes;
    this.#options.admission.hold(bytes);
    let left = bytes;
    return () => {
      if (this.#isClosed) return;
      this.#taken -= left;
      this.#options.admission.release(left);
      left = 0;
    };
  }

  #came(chunk: Buffer): void {
    // What comes to a call that has been answered is let go by the library.
    if (this.#isOver || this.#stream.writableEnded) return;
    const { admission } = this.#options;
    const bytes = this.#messages.add(chunk);
    const refusal = admission.add(bytes);
    if (refusal && this.#waiting + bytes > SMALL_BYTES) {
      this.#refuse(refusal);
      return;
    }
    if (refusal) admission.hold(bytes);
    this.#waiting += bytes;
    this.#wait();
  }

  /** Gives the client its time for what is missing; none runs while it is ours to go on. */
  #wait(): void {
    const { whole, isPartial } = this.#messages;
    const isMissing = !this.#isWhole && (!this.#isRequestStream || (isPartial && whole === 0));
    if (isMissing === (this.#stopWaiting !== undefined)) return;
    this.#stopWaiting?.();
    this.#stopWaiting = isMissing ? this.#patience() : undefined;
  }

  #patience(): () => void {
    const { clock, timeouts } = this.#options;
    const sentence = `the message did not come to its end within ${timeouts.messageSeconds} s`;
    return clock.after(timeouts.messageSeconds, () =>
      this.#refuse(new ProtocolError('DeadlineExceeded', '', sentence)),
    );
  }

  #refuse(refusal: ProtocolError): void {
    this.#isOver = true;
    const { clock, refused } = this.#options;
    refused(refusal, (clock.monotonicMilliseconds() - this.#beganAt) / 1000);
    this.#call.sendStatus(grpcStatus(refusal));
    // Or the library would call the handler with what has come when the stream ends.
    this.#stream.removeAllListeners('end');
    // After its answer; what the library has gathered goes with the stream.
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #close(): void {
    this.#stopWaiting?.();
    this.#options.admission.release(this.#waiting + this.#taken);
    [this.#isOver, this.#isClosed] = [true, true];
  }
}
