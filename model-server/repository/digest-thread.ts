/** The program of the thread that reads all files of a model, as `digestDocument` describes it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

export interface DigestTask {
  readonly directory: string;
  /** In the order of the digest. */
  readonly paths: readonly string[];
}

const CHUNK_BYTES = 1 << 20;

const { directory, paths } = workerData as DigestTask;
let document = '';
for (const path of paths) {
  const content = createHash('sha256');
  for await (const chunk of createReadStream(join(directory, path), { highWaterMark: CHUNK_BYTES })) {
    content.update(chunk as Buffer);
  }
  document += `${content.digest('hex')}  ${path}\n`;
}
parentPort?.postMessage(document);
