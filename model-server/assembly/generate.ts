/**
 * Writes `generated/` from the AssemblyScript beside it: `node model-server/assembly/generate.ts`. The compiler is
 * fetched from the npm registry for the run, since a hundred megabytes are much for what changes once a year;
 * `source.sha256` lets a test say when somebody forgot to run this.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const compiler = 'assemblyscript@0.28.20';
const source = join(here, 'number-reader.ts');
/** Six pages of 64 KiB, and no more; nothing is allocated, so that no runtime is needed. */
const options = '-O3 --runtime stub --noAssert --memoryBase 64 --initialMemory 6 --maximumMemory 6';

/** Of the source, the compiler's version and its options. */
export function sourceDigest(): string {
  const hash = createHash('sha256').update(`${compiler} ${options}`);
  return `${hash.update(readFileSync(source)).digest('hex')}\n`;
}

export const digestFile = join(here, 'generated', 'source.sha256');

function generate(): number {
  const folder = mkdtempSync(join(tmpdir(), 'assembly-'));
  const binary = join(folder, 'number-reader.wasm');
  try {
    const command = ['asc', source, ...options.split(' '), '--outFile', binary];
    const { status } = spawnSync('npx', ['--yes', '--package', compiler, ...command], { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
    const text = readFileSync(binary)
      .toString('base64')
      .replace(/.{1,100}/g, "  '$&',\n");
    writeFileSync(
      join(here, 'generated', 'number-reader.ts'),
      `// Generated from ../number-reader.ts: node model-server/assembly/generate.ts\n\n/** A WebAssembly module, in base64. */\nexport const numberReader = [\n${text}].join('');\n`,
    );
    writeFileSync(digestFile, sourceDigest());
    return 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = generate();
