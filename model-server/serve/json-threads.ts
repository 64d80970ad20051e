/**
 * Large bodies in JSON are read by threads of their own, so that neither probes nor other requests wait until megabytes
 * of numbers have been read.
 */
import { Worker } from 'node:worker_threads';
import { freeMemory } from '../free-memory.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { JsonBody } from '../protocol/json.ts';
import { unpacked } from '../protocol/moved-lists.ts';
import type { Precision } from '../protocol/number-list.ts';
import type { GivenBody, ReadBody } from './json-thread.ts';

/** About half a millisecond of reading; on busy cores a request that is handed over takes 0.3 ms longer. */
const LEAST_BYTES = 256 << 10;

interface Task extends GivenBody {
  resolve(read: ReadBody): void;
  reject(error: ProtocolError): void;
}

export class JsonThreads {
  readonly #program: URL;
  readonly #mostThreads: number;
  /** Every thread is idle or has a task. */
  readonly #idle = new Set<Worker>();
  readonly #tasks = new Map<Worker, Task>();
  readonly #waiting: Task[] = [];

  /** @param program of a thread; another one only to see what happens when it fails. */
  constructor(mostThreads: number, program: URL = new URL('./json-thread.ts', import.meta.url)) {
    this.#mostThreads = mostThreads;
    this.#program = program;
  }

  /**
   * Reads a body's lists of numbers, if it is large in a thread, and gives it to `use`. A thread takes the body's memory,
   * and `use` may not keep it. The first large body starts one, which takes some ten milliseconds.
   * @param precision in which a thread reads the numbers.
   * @throws ProtocolError Unavailable when the thread dies.
   */
  read<T>(body: Buffer, precision: Precision, use: (json: JsonBody) => T): T | Promise<T> {
    const { buffer } = body;
    const isOwnMemory = body.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    if (!isOwnMemory || body.byteLength < LEAST_BYTES) return use(body);
    return this.#readElsewhere({ body: buffer, precision }, use);
  }

  async #readElsewhere<T>(given: GivenBody, use: (json: JsonBody) => T): Promise<T> {
    const { body: returned, ...lists } = await new Promise<ReadBody>((resolve, reject) => {
      this.#waiting.push({ ...given, resolve, reject });
      const [idle] = this.#idle;
      const mayStart = this.#idle.size + this.#tasks.size < this.#mostThreads;
      const thread = idle ?? (mayStart ? this.#start() : undefined);
      if (!thread) return;
      this.#idle.delete(thread);
      this.#work(thread);
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
    let why: string | undefined;
    thread.on('message', (read: ReadBody) => {
      const task = this.#tasks.get(thread);
      this.#work(thread);
      task?.resolve(read);
    });
    thread.on('error', (error: Error) => {
      why = error.message;
    });
    thread.on('exit', (code) => this.#bury(thread, why ?? `it ended with status ${code}`));
    return thread;
  }

  /** Gives the thread the body that has waited longest. */
  #work(thread: Worker): void {
    this.#tasks.delete(thread);
    const task = this.#waiting.shift();
    if (!task) {
      this.#idle.add(thread);
      return;
    }
    this.#tasks.set(thread, task);
    const { body, precision } = task;
    thread.postMessage({ body, precision } satisfies GivenBody, [body]);
  }

  /** Its body is lost with it. Others that wait get a new thread. */
  #bury(thread: Worker, why: string): void {
    this.#idle.delete(thread);
    const task = this.#tasks.get(thread);
    this.#tasks.delete(thread);
    task?.reject(new ProtocolError('Unavailable', '', `the thread that read the body died: ${why}`));
    if (this.#waiting.length > 0) this.#work(this.#start());
  }
}
