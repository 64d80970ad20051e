import type { Clock } from './clock.ts';

/**
 * Aborts a connection on which nothing comes any more: the server may hang, or a firewall may have forgotten the
 * connection, and neither closes the socket.
 */
export class SilenceGuard {
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort();
  #limitSeconds: number;
  #heardAtSeconds: number;
  #isSilent = false;
  #cancel = () => {};

  /**
   * @param limitSeconds silence that is still normal
   * @param stop aborts the connection too
   */
  constructor(clock: Clock, limitSeconds: number, stop: AbortSignal) {
    this.#clock = clock;
    this.#stop = stop;
    this.#limitSeconds = limitSeconds;
    this.#heardAtSeconds = clock.monotonicSeconds();
    if (stop.aborted) this.#abort();
    stop.addEventListener('abort', this.#abort);
    this.#check();
  }

  /** For the connection. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when silence was what ended the connection. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  get limitSeconds(): number {
    return this.#limitSeconds;
  }

  /** Monotonic time of the last sign of life. */
  get heardAtSeconds(): number {
    return this.#heardAtSeconds;
  }

  heard(): void {
    this.#heardAtSeconds = this.#clock.monotonicSeconds();
  }

  /** From now on less silence is normal. */
  tighten(limitSeconds: number): void {
    if (limitSeconds >= this.#limitSeconds) return;
    this.#limitSeconds = limitSeconds;
    this.#cancel();
    this.#check();
  }

  /** The connection is over. */
  clear(): void {
    this.#cancel();
    this.#stop.removeEventListener('abort', this.#abort);
    this.#abort();
  }

  /** One timer for many signs of life: when it fires, it looks how long the silence really was. */
  #check(): void {
    const leftSeconds = this.#heardAtSeconds + this.#limitSeconds - this.#clock.monotonicSeconds();
    if (leftSeconds > 0) {
      this.#cancel = this.#clock.after(leftSeconds, () => this.#check());
      return;
    }
    this.#isSilent = true;
    this.#abort();
  }
}
