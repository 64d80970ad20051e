/** The program of a thread that reads the lists of numbers in large bodies. */
import { parentPort } from 'node:worker_threads';
import { findNumberLists } from '../protocol/json-body.ts';
import { type MovedLists, packed } from '../protocol/moved-lists.ts';
import type { Precision } from '../protocol/number-list.ts';

/** What a thread is to read. */
export interface GivenBody {
  readonly body: ArrayBuffer;
  readonly precision: Precision;
}

/** What the thread says of a body, which it gives back with it. */
export interface ReadBody extends MovedLists {
  readonly body: ArrayBuffer;
}

parentPort?.on('message', ({ body, precision }: GivenBody) => {
  const lists = packed(findNumberLists(new Uint8Array(body), precision));
  const read: ReadBody = { body, ...lists };
  parentPort?.postMessage(read, [body, lists.values.buffer, lists.facts.buffer]);
});
