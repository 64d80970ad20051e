/**
 * Who may come in. Both bounds are checked before a body is read, and the second again with every chunk: whatever
 * clients do, the server holds no more than `maxHeldBytes` of their requests, and says so instead of falling over. Answers
 * that clients do not take count too: none is thrown away, but no request is let in beside them.
 */
import { ProtocolError } from '../protocol/errors.ts';

export interface AdmissionLimits {
  /** Largest body of one request. */
  readonly maxBodyBytes: number;
  /** Bodies of all requests that are being read, waiting or computed, and answers that are being written. */
  readonly maxHeldBytes: number;
}

/** The queue of the model that a request is for. */
export interface QueueRoom {
  /** Requests that wait now. */
  readonly queued: number;
  readonly capacity: number;
  /** How long the engine needs for what waits. */
  readonly backlogMilliseconds: number;
  readonly maxBacklogMilliseconds: number;
}

export class Admission {
  readonly limits: AdmissionLimits;
  #heldBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.limits = limits;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Why a request is not let in, or undefined. @param declaredBytes its Content-Length, 0 when it has none. */
  refusal(declaredBytes: number, room: QueueRoom): ProtocolError | undefined {
    if (declaredBytes > this.limits.maxBodyBytes) return this.#tooLarge(`has ${declaredBytes} bytes`);
    const tooMany = tooManyFor(room);
    if (tooMany !== undefined) {
      const sentence = `${tooMany}: try again later, or ask for more replicas`;
      return new ProtocolError('ResourceExhausted', '', sentence, room.backlogMilliseconds / 1000);
    }
    return this.#heldBytes + declaredBytes > this.limits.maxHeldBytes ? this.#full() : undefined;
  }

  /** Counts bytes of a body that arrived. @returns why they are too many, in which case they are not counted. */
  take(bytes: number, receivedBefore: number): ProtocolError | undefined {
    if (receivedBefore + bytes > this.limits.maxBodyBytes) return this.#tooLarge('goes on');
    return this.add(bytes);
  }

  /** Counts bytes of whatever has come. @returns why they are too many, in which case they are not counted. */
  add(bytes: number): ProtocolError | undefined {
    if (this.#heldBytes + bytes > this.limits.maxHeldBytes) return this.#full();
    this.#heldBytes += bytes;
    return undefined;
  }

  /** Counts bytes of an answer, which are there already. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /** The request or answer that held these bytes is gone. */
  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  #tooLarge(found: string): ProtocolError {
    return new ProtocolError(
      'PayloadTooLarge',
      '',
      `the body ${found} and the server takes at most ${this.limits.maxBodyBytes}: send fewer instances per request, or raise MODEL_SERVER_MAX_BODY_BYTES`,
    );
  }

  #full(): ProtocolError {
    return new ProtocolError(
      'ResourceExhausted',
      '',
      `the requests being served and their answers hold ${this.#heldBytes} of ${this.limits.maxHeldBytes} bytes: try again later, or ask for more replicas`,
    );
  }
}

/** Why nothing more may wait in a queue; undefined while something may. */
function tooManyFor(room: QueueRoom): string | undefined {
  const { queued, capacity, backlogMilliseconds, maxBacklogMilliseconds } = room;
  if (queued >= capacity)
    return `${queued} requests are waiting and spec.serving.queueCapacity is ${capacity}`;
  if (backlogMilliseconds < maxBacklogMilliseconds) return undefined;
  return `what is waiting takes about ${Math.round(backlogMilliseconds)} ms and spec.serving.maxBacklogMilliseconds is ${maxBacklogMilliseconds}`;
}
