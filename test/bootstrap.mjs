/**
 * First step of every npm script that must work on a fresh clone: installs the locked packages when they are
 * missing or out of date, then hands over to the project's own Node.
 *
 *   node test/bootstrap.mjs [FILE.ts ARGUMENT...]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');
const stamp = join(root, 'node_modules', '.installed-lock');
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const oldestNode = [22, 22];

const installed = existsSync(stamp) && readFileSync(stamp, 'utf8') === lock;
if (!installed) {
  console.error('[bootstrap] installing the locked npm packages (about a minute)');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (npm.status !== 0) {
    console.error('[bootstrap] `npm ci` failed; its messages are above');
    process.exit(npm.status ?? 1);
  }
  writeFileSync(stamp, lock);
}

const [file, ...args] = process.argv.slice(2);
if (file) {
  const bundled = join(bin, 'node');
  const node = existsSync(bundled) ? bundled : process.execPath;
  if (node === process.execPath && !isNewEnough(process.versions.node)) {
    console.error(
      `[bootstrap] Node ${process.versions.node} is too old: ${oldestNode.join('.')} or newer is needed. ` +
        'On Linux x64 a matching Node comes with the npm packages; elsewhere install Node 24 and run this again.',
    );
    process.exit(1);
  }
  const child = spawnSync(node, [join(root, file), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  process.exit(child.status ?? 1);
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}
