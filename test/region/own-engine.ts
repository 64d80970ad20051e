import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './command.ts';
import { goPrograms } from './go-programs.ts';

/**
 * A container engine of the region's own: Debian's containerd and dockerd, started by hand where no service
 * manager does it. Images and containers live in the cache, sockets and process ids under /run.
 */
const runtimeDirectory = '/run/aicity-engine';
const bridge = 'aicity0';
const bridgeAddress = '172.30.99.1/24';
/** Networks made by `docker network create` are cut from this range. */
const networkPool = 'base=172.30.100.0/22,size=26';

/** Where the engine listens. */
export const ownSocket = join(runtimeDirectory, 'docker.sock');
const containerdSocket = join(runtimeDirectory, 'containerd.sock');

const capabilitySysResource = 1n << 24n;

/**
 * Starts the engine, over whatever an engine that was killed has left behind: process id files, sockets,
 * mounts, the bridge and packet-filter chains (dockerd takes over the chains, containers and mounts itself).
 */
export async function startOwnEngine(): Promise<void> {
  mkdirSync(runtimeDirectory, { recursive: true });
  await stopDaemons();
  for (const left of [ownSocket, containerdSocket]) rmSync(left, { force: true });

  // Before dockerd: finding forwarding off, it would turn it on and drop all other forwarded traffic.
  await run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  if (!existsSync(`/sys/class/net/${bridge}`)) {
    await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
    await run('ip', ['addr', 'add', bridgeAddress, 'dev', bridge]);
  }
  await run('ip', ['link', 'set', bridge, 'up']);

  daemon('containerd', ['--config', containerdConfig()]);
  await answering('containerd', async () => existsSync(containerdSocket));
  daemon('dockerd', await dockerdArguments());
  await answering('dockerd', () =>
    run('docker', ['version'], { environment: { DOCKER_HOST: `unix://${ownSocket}` } }).then(
      () => true,
      () => false,
    ),
  );
}

/** Stops the engine and takes its bridge away. Images and volumes stay in the cache unless `purge` is set. */
export async function stopOwnEngine(options: { purge?: boolean } = {}): Promise<void> {
  const environment = { DOCKER_HOST: `unix://${ownSocket}` };
  const containers = await run('docker', ['ps', '-aq'], { environment }).catch(() => '');
  if (containers) await run('docker', ['rm', '-f', '-v', ...containers.split('\n')], { environment });
  await stopDaemons();
  await run('ip', ['link', 'del', bridge]).catch(() => {});
  await unmountUnder(cached('engine'));
  rmSync(runtimeDirectory, { recursive: true, force: true });
  if (options.purge) rmSync(cached('engine'), { recursive: true, force: true });
}

function containerdConfig(): string {
  const path = join(runtimeDirectory, 'containerd.toml');
  const unneeded = [
    'grpc.v1.cri',
    'snapshotter.v1.aufs',
    'snapshotter.v1.btrfs',
    'snapshotter.v1.devmapper',
    'snapshotter.v1.zfs',
  ];
  writeFileSync(
    path,
    [
      'version = 2',
      `root = ${JSON.stringify(cached('engine', 'containerd'))}`,
      `state = ${JSON.stringify(join(runtimeDirectory, 'containerd'))}`,
      `disabled_plugins = ${JSON.stringify(unneeded.map((name) => `io.containerd.${name}`))}`,
      '[grpc]',
      `  address = ${JSON.stringify(containerdSocket)}`,
      '[ttrpc]',
      `  address = ${JSON.stringify(`${containerdSocket}.ttrpc`)}`,
      '',
    ].join('\n'),
  );
  return path;
}

async function dockerdArguments(): Promise<string[]> {
  const config = join(runtimeDirectory, 'daemon.json');
  writeFileSync(config, JSON.stringify(await runtimeConfig()));
  return [
    ['--config-file', config],
    ['--containerd', containerdSocket],
    ['--containerd-namespace', 'aicity'],
    ['--containerd-plugins-namespace', 'aicity-plugins'],
    ['--data-root', cached('engine', 'docker')],
    ['--exec-root', join(runtimeDirectory, 'docker')],
    ['--pidfile', pidFile('dockerd')],
    ['--host', `unix://${ownSocket}`],
    ['--group', 'root'],
    ['--bridge', bridge],
    ['--default-address-pool', networkPool],
    ['--ip', '127.0.0.1'], // ports are published on this machine only
    ['--storage-driver', 'overlay2'],
    ['--exec-opt', 'native.cgroupdriver=cgroupfs'],
  ].flat();
}

/** Root without CAP_SYS_RESOURCE needs the runtime that keeps within what such a root may grant. */
async function runtimeConfig(): Promise<object> {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
  if (BigInt(`0x${bounding}`) & capabilitySysResource) return {};
  const wrapper = join(await goPrograms('runc-within-limits'), 'runc-within-limits');
  return { 'default-runtime': 'within-limits', runtimes: { 'within-limits': { path: wrapper } } };
}

/** Starts a daemon that outlives this process; its messages go to a log file beside the images. */
function daemon(name: string, args: string[]): void {
  const log = openSync(logFile(name), 'a');
  const child = spawn(name, args, { detached: true, stdio: ['ignore', log, log] });
  child.on('error', () => {}); // found out by the wait for its answer, which shows the log
  child.unref();
  // dockerd writes its own and refuses to start over another's
  if (name !== 'dockerd' && child.pid) writeFileSync(pidFile(name), String(child.pid));
}

async function answering(name: string, isUp: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (await isUp()) return;
    await new Promise((later) => setTimeout(later, 100));
  }
  const log = readFileSync(logFile(name), 'utf8').trim().split('\n').slice(-15).join('\n');
  throw new Error(`${name} did not come up within 60 seconds. Its log ${logFile(name)} ends with:\n${log}`);
}

/** Ends the recorded daemons, gently first. A process id that now belongs to another program is left alone. */
async function stopDaemons(): Promise<void> {
  for (const name of ['dockerd', 'containerd']) {
    const file = pidFile(name);
    if (existsSync(file)) {
      const pid = Number(readFileSync(file, 'utf8'));
      for (const [signal, patienceMilliseconds] of [
        ['SIGTERM', 15_000],
        ['SIGKILL', 5_000],
      ] as const) {
        if (programOf(pid) !== name) break;
        process.kill(pid, signal);
        const deadline = Date.now() + patienceMilliseconds;
        while (programOf(pid) === name && Date.now() < deadline)
          await new Promise((later) => setTimeout(later, 50));
      }
    }
    rmSync(file, { force: true });
  }
}

function programOf(pid: number): string | undefined {
  try {
    const state = /^State:\s*(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return state === 'Z' ? undefined : readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function unmountUnder(directory: string): Promise<void> {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounts.reverse()) await run('umount', ['-l', path]).catch(() => {});
}

function pidFile(name: string): string {
  return join(runtimeDirectory, `${name}.pid`);
}

function logFile(name: string): string {
  return cached('engine', `${name}.log`);
}
