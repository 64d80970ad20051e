/** The program of the thread that reads all files of a large model. */
import { parentPort, workerData } from 'node:worker_threads';
import { digestDocument } from './digest-document.ts';

export interface DigestTask {
  readonly directory: string;
  /** In the order of the digest. */
  readonly paths: readonly string[];
}

const { directory, paths } = workerData as DigestTask;
parentPort?.postMessage(await digestDocument(directory, paths));
