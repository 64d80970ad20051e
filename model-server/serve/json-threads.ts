/**
 * Large bodies in JSON are read by threads of their own, so that neither probes nor other requests wait until megabytes
 * of numbers have been read.
 */
import { Worker } from 'node:worker_threads';
import { freeMemory } from '../free-memory.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { JsonBody } from '../protocol/json.ts';
import { unpacked } from '../protocol/moved-lists.ts';
import type { ReadBody } from './json-thread.ts';

/** About half a millisecond of reading. To hand over a body and to take it back takes a tenth of that. */
const LEAST_BYTES = 256 << 10;

interface Task {
  readonly body: ArrayBuffer;
  resolve(read: ReadBody): void;
  reject(error: ProtocolError): void;
}

export class JsonThreads {
  readonly #program: URL;
  readonly #mostThreads: number;
  readonly #idle: Worker[] = [];
  readonly #waiting: Task[] = [];
  #threads = 0;

  /** @param program of a thread; another one only to see what happens when it fails. */
  constructor(mostThreads: number, program: URL = new URL('./json-thread.ts', import.meta.url)) {
    this.#mostThreads = mostThreads;
    this.#program = program;
  }

  /**
   * Reads a body's lists of numbers, if it is large in a thread, and gives it to `use`. A thread takes the body's memory,
   * and `use` may not keep it. The first large body starts one, which takes some ten milliseconds.
   * @throws ProtocolError Unavailable when the thread dies.
   */
  read<T>(body: Buffer, use: (json: JsonBody) => T): T | Promise<T> {
    const { buffer } = body;
    const isOwnMemory = body.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    return isOwnMemory && body.byteLength >= LEAST_BYTES ? this.#readElsewhere(buffer, use) : use(body);
  }

  async #readElsewhere<T>(body: ArrayBuffer, use: (json: JsonBody) => T): Promise<T> {
    const { body: returned, ...lists } = await new Promise<ReadBody>((resolve, reject) => {
      this.#waiting.push({ body, resolve, reject });
      const thread = this.#idle.pop() ?? (this.#threads < this.#mostThreads ? this.#start() : undefined);
      if (thread) this.#work(thread);
    });
    const bytes = new Uint8Array(returned);
    try {
      return use({ bytes, lists: unpacked(lists) });
    } finally {
      freeMemory(bytes);
    }
  }

  #start(): Worker {
    const thread = new Worker(this.#program, { name: 'json' });
    thread.unref();
    this.#threads++;
    return thread;
  }

  /** Gives the thread the body that has waited longest. */
  #work(thread: Worker): void {
    const task = this.#waiting.shift();
    if (!task) {
      this.#idle.push(thread);
      return;
    }
    const { body, resolve, reject } = task;
    const over = () => {
      thread.off('message', done).off('error', died).off('exit', ended);
    };
    const done = (read: ReadBody) => {
      over();
      this.#work(thread);
      resolve(read);
    };
    const died = (error: Error) => {
      over();
      this.#threads--;
      if (this.#waiting.length > 0) this.#work(this.#start());
      reject(new ProtocolError('Unavailable', '', `the thread that read the body died: ${error.message}`));
    };
    const ended = (code: number) => died(new Error(`it ended with status ${code}`));
    thread.on('message', done).on('error', died).on('exit', ended);
    thread.postMessage(body, [body]);
  }
}
