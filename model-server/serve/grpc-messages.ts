/** gRPC's messages in the bytes of a stream, as far as one has to know to say how much memory they take. */

/** Compressed or not, and the length: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Length-Prefixed-Message. */
const HEAD_BYTES = 5;
/** What a byte of deflate's can become at most: https://zlib.net/zlib_tech.html, Maximum Compression Factor. */
const MOST_INFLATION = 1032;

export class MessageMeter {
  readonly #maxBytes: number;
  /** Of the message that comes: its head so far, how much of the rest is missing and has come, and what that was counted as. */
  #headBytes = 0;
  #isCompressed = false;
  #missing = 0;
  #came = 0;
  #counted = 0;
  readonly #whole: number[] = [];

  /** @param maxBytes of a message, unpacked; a longer one is refused elsewhere. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Messages that are all there and that nobody has taken. */
  get whole(): number {
    return this.#whole.length;
  }

  /** Whether a part of a message is there, and not all of it. */
  get isPartial(): boolean {
    return this.#headBytes > 0;
  }

  /** @returns bytes of memory that these bytes may take; a compressed message may take far more than it has itself. */
  add(chunk: Uint8Array): number {
    let bytes = 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#headBytes < HEAD_BYTES) {
        const byte = chunk[at++]!;
        if (this.#headBytes++ === 0) this.#isCompressed = byte !== 0;
        else this.#missing = this.#missing * 256 + byte;
      } else {
        const part = Math.min(this.#missing, chunk.length - at);
        this.#missing -= part;
        this.#came += part;
        at += part;
        const counts = this.#isCompressed
          ? Math.min(this.#maxBytes, this.#came * MOST_INFLATION)
          : this.#came;
        bytes += counts - this.#counted;
        this.#counted = counts;
      }
      if (this.#headBytes === HEAD_BYTES && this.#missing === 0) this.#finish();
    }
    return bytes;
  }

  /** The oldest whole message is somebody's now. @returns what it was counted as. */
  take(): number {
    return this.#whole.shift() ?? 0;
  }

  #finish(): void {
    this.#whole.push(this.#counted);
    this.#headBytes = this.#came = this.#counted = 0;
  }
}
