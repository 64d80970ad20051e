import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { metricSum } from './metric-sum.ts';
import type { Usage } from './probe.ts';

/** Fixed in the operator's configuration: reports, health, metrics. */
const PORTS = [9443, 8081, 8080];
const METRICS_URL = 'http://127.0.0.1:8080/metrics';

export interface OperatorOptions {
  /** The program, as its image holds it. */
  readonly programPath: string;
  /** With the operator's own credentials. */
  readonly kubeconfigPath: string;
  readonly namespace: string;
  /** This machine's address as the API server reaches it. */
  readonly address: string;
  readonly modelServerImage: string;
  /** What it writes goes to this file. */
  readonly logPath: string;
  /** Where to leave a CPU profile when it ends. */
  readonly profileDirectory?: string | undefined;
  /** More of its configuration. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The operator as a process of its own. */
export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #startedAt = performance.now();

  constructor(options: OperatorOptions) {
    const { kubeconfigPath, namespace, address, modelServerImage, logPath, profileDirectory } = options;
    const { environment = {} } = options;
    const profile = profileDirectory ? ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`] : [];
    const probe = join(import.meta.dirname, 'probe.ts');
    const log = openSync(logPath, 'w');
    this.#logPath = logPath;
    this.#child = spawn(process.execPath, [...profile, '--import', probe, options.programPath], {
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        KUBECONFIG: kubeconfigPath,
        AICITY_OPERATOR_NAMESPACE: namespace,
        AICITY_POD_NAME: 'aicity-operator-bench',
        AICITY_POD_IP: address,
        AICITY_MODEL_SERVER_IMAGE: modelServerImage,
        AICITY_MODEL_SERVER_GPU_IMAGE: `${modelServerImage}-gpu`,
        ...environment,
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
  }

  /** When it was started, by `performance.now()`. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** What it has used since it began, and asked of the API server. */
  async usage(): Promise<Usage> {
    this.check();
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(10_000) });
    this.#child.send('usage');
    const [usage] = await answer;
    return usage as Usage;
  }

  /**
   * Waits until its own metrics say that it is at work and has looked at so many services, and that none waits.
   *
   * @returns when that was seen, by `performance.now()`
   */
  async untilLookedAt(services: number, timeoutSeconds: number): Promise<number> {
    const deadline = performance.now() + timeoutSeconds * 1000;
    while (performance.now() < deadline) {
      this.check();
      const metrics = await fetch(METRICS_URL, { signal: AbortSignal.timeout(5_000) }).then(
        (answer) => answer.text(),
        () => '',
      );
      const isAtWork = metrics.includes('aicity_workqueue_depth{');
      const isIdle =
        metricSum(metrics, 'aicity_workqueue_depth') + metricSum(metrics, 'aicity_workqueue_active') === 0;
      const isDone = metricSum(metrics, 'aicity_reconcile_total') >= services;
      if (isAtWork && isIdle && isDone) return performance.now();
      await new Promise((later) => setTimeout(later, 100));
    }
    throw new Error(`the operator was not at work within ${timeoutSeconds} s; ${this.#lastWords()}`);
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    this.check();
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [status, signal] = await exit;
    if (status !== 0) throw new Error(`the operator ended with ${status ?? signal}; ${this.#lastWords()}`);
  }

  /** When all else has failed. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** @throws Error with its last lines when it has ended */
  check(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`the operator has ended; ${this.#lastWords()}`);
  }

  #lastWords(): string {
    const lines = readFileSync(this.#logPath, 'utf8').trimEnd().split('\n').slice(-10);
    return `its last lines:\n${lines.join('\n')}`;
  }
}

/**
 * Waits until nobody else on this machine listens where the operator will.
 *
 * @throws Error naming the port that stays taken
 */
export async function untilPortsAreFree(timeoutSeconds: number): Promise<void> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (const port of PORTS) {
    while (!(await isFree(port))) {
      if (performance.now() > deadline) {
        throw new Error(`port ${port} is in use by another program; the operator needs ${PORTS.join(', ')}`);
      }
      await new Promise((later) => setTimeout(later, 500));
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
