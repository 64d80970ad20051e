import { existsSync } from 'node:fs';
import { exclusively } from './cache.ts';
import { isInstalled, run } from './command.ts';
import { engineAnswers } from './docker.ts';
import { ownSocket, startOwnEngine } from './own-engine.ts';
import { step } from './progress.ts';

/**
 * Makes sure that a container engine answers, and points this process's docker clients at it. An engine that
 * is there is used. On Debian as root one is installed and started; anywhere else this fails with the command
 * to run. Calling it again is cheap, and two processes may call it at once.
 */
export async function ensureEngine(): Promise<void> {
  // The clean-up container of testcontainers would have to be pulled; the region cleans up by its labels.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  // testcontainers takes a machine with this file for a container and would look for the engine's gateway.
  if (existsSync('/.dockerenv')) process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1';

  await exclusively('engine', async () => {
    if ((await isInstalled('docker')) && (await engineAnswers())) return;
    if (process.env['DOCKER_HOST']) {
      throw new Error(
        `No container engine answers at DOCKER_HOST=${process.env['DOCKER_HOST']}. ` +
          'Start that engine, or unset DOCKER_HOST to let the region find or start one.',
      );
    }
    if (existsSync(ownSocket)) {
      process.env['DOCKER_HOST'] = `unix://${ownSocket}`;
      if (await engineAnswers()) return;
      delete process.env['DOCKER_HOST'];
    }
    if (!mayInstall()) throw new Error(`No container engine answers. ${await remedy()}`);
    await installPackages();
    if (await startedBySystem()) return;
    await step('starting a container engine', startOwnEngine);
    process.env['DOCKER_HOST'] = `unix://${ownSocket}`;
  });
}

function mayInstall(): boolean {
  return existsSync('/etc/debian_version') && process.getuid?.() === 0;
}

/** The exact command that gives this machine an engine. */
async function remedy(): Promise<string> {
  if (process.platform === 'darwin') return 'Start one with: open -a Docker';
  if (existsSync('/var/run/docker.sock')) {
    return 'There is /var/run/docker.sock; if your user may not use it, run: sudo usermod -aG docker $USER && newgrp docker';
  }
  const start = 'sudo systemctl enable --now docker && sudo usermod -aG docker $USER && newgrp docker';
  if (await isInstalled('apt-get')) return `Run: sudo apt-get install -y docker.io && ${start}`;
  if (await isInstalled('dnf')) return `Run: sudo dnf install -y moby-engine && ${start}`;
  if (await isInstalled('pacman')) return `Run: sudo pacman -S --noconfirm docker && ${start}`;
  return 'Install and start Docker 20.10 or newer (https://docs.docker.com/engine/install/).';
}

const packagesByProgram = {
  dockerd: 'docker.io',
  containerd: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  ip: 'iproute2',
};

/** Installs the Debian packages whose programs are missing. */
async function installPackages(): Promise<void> {
  const missing: string[] = [];
  for (const [program, debianPackage] of Object.entries(packagesByProgram)) {
    if (!(await isInstalled(program))) missing.push(debianPackage);
  }
  await installDebianPackages(missing);
  // Newer Debian releases have the client in a package of its own.
  if (!(await isInstalled('docker'))) await installDebianPackages(['docker-cli']);
}

/** Installs Debian packages, waiting for another package manager that may hold the lock. */
export async function installDebianPackages(packages: string[]): Promise<void> {
  if (packages.length === 0) return;
  await step(
    `installing ${packages.join(', ')} from Debian`,
    async () => {
      const environment = { DEBIAN_FRONTEND: 'noninteractive' };
      await run('apt-get', ['update', '-qq'], { environment });
      const options = ['-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
      await run('apt-get', ['install', ...options, ...packages], { environment });
    },
    'about 20 seconds',
  );
}

/** On a machine with systemd the package's own service is the engine. */
async function startedBySystem(): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return false;
  await run('systemctl', ['start', 'docker']).catch(() => {});
  return await engineAnswers();
}
