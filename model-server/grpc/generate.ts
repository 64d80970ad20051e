/**
 * Writes `generated/` from `proto/`: `node model-server/grpc/generate.ts`. The compiler is fetched from the npm
 * registry for the run, since a hundred megabytes are much for what changes once a year; `sources.sha256` lets a test
 * say when somebody forgot to run this.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const compiler = ['@bufbuild/buf@1.75.0', '@bufbuild/protoc-gen-es@2.17.0'];

/** Of everything in `proto/`, names included, and of the compiler's version. */
export function sourcesDigest(): string {
  const hash = createHash('sha256').update(compiler.join(' '));
  const folder = join(here, 'proto');
  for (const name of readdirSync(folder).sort()) hash.update(name).update(readFileSync(join(folder, name)));
  return `${hash.digest('hex')}\n`;
}

export const digestFile = join(here, 'generated', 'sources.sha256');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const packages = compiler.flatMap((name) => ['--package', name]);
  const { status } = spawnSync('npx', ['--yes', ...packages, 'buf', 'generate'], {
    cwd: join(here, 'proto'),
    stdio: 'inherit',
  });
  if (status === 0) writeFileSync(digestFile, sourcesDigest());
  process.exitCode = status ?? 1;
}
