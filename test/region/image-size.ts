/** How large an image is on a disk, and about how large on its way from a registry. */
import { spawn } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { docker } from './docker.ts';

const blockBytes = 1 << 20;
/** One block of so many is compressed: a second instead of half a minute, and right to a few percent. */
const sampleEvery = 16;

/** Says both sizes in megabytes. */
export async function sizeLine(image: string): Promise<string> {
  const bytes = Number(await docker(['image', 'inspect', '--format', '{{.Size}}', image]));
  const compressed = bytes * (await compressionRatio(image));
  return `image ${image}: ${megabytes(bytes)} uncompressed, about ${megabytes(compressed)} compressed`;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/** Compressed size over size, from a sample of what `docker save` gives. */
async function compressionRatio(image: string): Promise<number> {
  const child = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((done) => child.on('close', done));
  let taken = 0;
  let compressed = 0;
  let blocks = 0;
  let block: Buffer[] = [];
  let filled = 0;
  const finishBlock = () => {
    if (blocks++ % sampleEvery === 0) {
      taken += filled;
      compressed += gzipSync(Buffer.concat(block)).length;
    }
    block = [];
    filled = 0;
  };
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    block.push(chunk);
    filled += chunk.length;
    if (filled >= blockBytes) finishBlock();
  }
  if (filled > 0) finishBlock();
  if ((await ended) !== 0) throw new Error(`docker save ${image} failed, so its size is not known`);
  return compressed / taken;
}
