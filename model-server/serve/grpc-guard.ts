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

const GUARD = 'aicity.guard';
/** So much may always come: a server with no room for requests still tells how it is. */
const SMALL_BYTES = 4096;
/** Of all that the server may hold, the part that one call should not exceed. */
const CALL_SHARE = 8;
/** Looks at calls that stand still, within the shortest time that they have. */
const LOOKS = 4;

export class CallGuards {
  readonly #options: CallGuardOptions;
  readonly #calls = new Set<CallGuard>();
  #isLooking = false;

  constructor(options: CallGuardOptions) {
    this.#options = options;
  }

  /** Sees every call as it begins, and is no part of it afterwards. */
  readonly interceptor: ServerInterceptor = ({ requestStream }, call) => {
    const { stream, metadata } = call as unknown as Internals;
    const guard = new CallGuard(this.#options, call, stream, requestStream);
    metadata.setOpaque(GUARD, guard);
    this.#calls.add(guard);
    stream.once('close', () => {
      this.#calls.delete(guard);
      guard.close();
    });
    if (!this.#isLooking) this.#lookLater();
    return call as ServerInterceptingCall;
  };

  /** One timer for all: most calls are over long before it. */
  #lookLater(): void {
    const { clock, timeouts } = this.#options;
    this.#isLooking = true;
    clock.after(Math.min(timeouts.messageSeconds, timeouts.writeSeconds) / LOOKS, () => {
      this.#isLooking = false;
      for (const guard of this.#calls) guard.look();
      if (this.#calls.size > 0) this.#lookLater();
    });
  }
}

/** The guard of a call that a handler has. */
export function guardOf({ metadata }: { readonly metadata: Metadata }): CallGuard {
  return metadata.getOpaque(GUARD) as CallGuard;
}

export class CallGuard {
  readonly #options: CallGuardOptions;
  readonly #call: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;
  readonly #beganAt: number;
  readonly #messages: MessageMeter;
  /** Bytes that have come and that no handler has taken. */
  #waiting = 0;
  /** Bytes of what handlers have taken and of answers. */
  #taken = 0;
  /** Since when the client is to send what is missing; undefined while it is ours to go on. */
  #missingSince: number | undefined;
  readonly #isRequestStream: boolean;
  #isTimed = false;
  /** Refused or closed: nothing more is taken in. */
  #isOver = false;
  #isClosed = false;

  constructor(
    options: CallGuardOptions,
    call: ServerInterceptingCallInterface,
    stream: ServerHttp2Stream,
    isRequestStream: boolean,
  ) {
    this.#options = options;
    this.#call = call;
    this.#stream = stream;
    this.#beganAt = options.clock.monotonicMilliseconds();
    this.#messages = new MessageMeter(options.admission.limits.maxBodyBytes);
    this.#isRequestStream = isRequestStream;
    // A call with one request is missing something until it has ended, a stream only within a message.
    if (!isRequestStream) this.#missingSince = this.#beganAt;
    // Before the library, which lets go of what comes to a call that was refused.
    stream.prependListener('data', (chunk: Buffer) => this.#came(chunk));
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
    this.#missingSince = undefined;
    this.#wait();
    return this.holds(bytes);
  }

  /**
   * Counts what the call has beside what waits: a message that was taken, an answer that goes out.
   *
   * @returns what gives its bytes back; the end of the call does so too.
   */
  holds(bytes: number): () => void {
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

  /** Ends the call when its client stands still. */
  look(): void {
    const { clock, timeouts } = this.#options;
    if (this.#stream.writableLength > 0 && !this.#isTimed) {
      this.#isTimed = true;
      this.#stream.setTimeout(timeouts.writeSeconds * 1000);
      this.#stream.on('timeout', () => {
        if (this.#stream.writableLength > 0) this.#stream.close(constants.NGHTTP2_CANCEL);
      });
    }
    if (this.#missingSince === undefined || this.#stream.readableEnded) return;
    if (clock.monotonicMilliseconds() - this.#missingSince < timeouts.messageSeconds * 1000) return;
    const sentence = `the message did not come to its end within ${timeouts.messageSeconds} s`;
    this.#refuse(new ProtocolError('DeadlineExceeded', '', sentence));
  }

  /** The call is over, however it has ended. */
  close(): void {
    this.#options.admission.release(this.#waiting + this.#taken);
    [this.#isOver, this.#isClosed] = [true, true];
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

  /** In a stream the client has its time for the rest of a message, once all before it are with the handler. */
  #wait(): void {
    if (!this.#isRequestStream) return;
    const isMissing = this.#messages.isPartial && this.#messages.whole === 0;
    if (!isMissing) this.#missingSince = undefined;
    else this.#missingSince ??= this.#options.clock.monotonicMilliseconds();
  }

  #refuse(refusal: ProtocolError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { clock, refused } = this.#options;
    refused(refusal, (clock.monotonicMilliseconds() - this.#beganAt) / 1000);
    this.#call.sendStatus(grpcStatus(refusal));
    // Or the library would call the handler with what has come when the stream ends.
    this.#stream.removeAllListeners('end');
    // After its answer; what the library has gathered goes with the stream.
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }
}
