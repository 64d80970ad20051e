#!/usr/bin/env node
/**
 * The model server's process: reads its configuration, starts the parts, and ends them in order.
 *
 * Exit codes: 0 after a drain that answered everything; 1 when requests were lost, the engine died or the process
 * failed; 2 for a wrong configuration. A dead engine does not come back in this process, since TensorFlow's state in
 * it is unknown: what is in flight is answered 503, the operator is told, and Kubernetes starts a fresh container.
 */
// Before all others: what it starts takes its time.
import './engine/preload.ts';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { totalmem } from 'node:os';
import { type Logger, pino } from 'pino';
import type { LoadReport } from '../crds/load-report.ts';
import { ModelAssignment } from '../crds/pod-contract.ts';
import packageJson from '../package.json' with { type: 'json' };
import { sleep, systemClock } from './clock.ts';
import { type Config, HELP, readConfig } from './config.ts';
import { ConfigError } from './config-error.ts';
import { startEngine } from './engine/host.ts';
import { OperatorClient } from './reports/operator-client.ts';
import { Reporter } from './reports/reporter.ts';
import { openRepository } from './repository/repository.ts';
import { drain } from './serve/drain.ts';
import { createModelServer, type ModelServer } from './serve/model-server.ts';
import { startTracing } from './serve/tracing.ts';

const clock = systemClock;
/** For answers that are on their way when the engine has died. */
const LAST_ANSWERS_SECONDS = 1;
const LAST_REPORT_SECONDS = 2;

async function main(): Promise<void> {
  const config = configOrExit();
  const log = pino({
    level: config.logLevel,
    base: config.operator ? { model: config.models[0]?.name } : {},
  });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'uncaught exception');
    process.exit(1);
  });
  const engine = startEngine();
  const assigned = await readAssignment(config.assignmentFile, log);
  const tracing = await startTracing(process.env, packageJson.version);
  const server = createModelServer({
    ...{ serverVersion: packageJson.version, engine, limits: config, clock, log, tracing },
    accessLogShare: config.accessLogShare,
    models: config.models.map((model) => ({ ...model, ...(assigned && { assignment: assigned }) })),
    isManaged: config.operator !== undefined,
    repository: await openRepository({ ...config, clock }),
  });
  await listen(server, config, log);
  server.start();
  const reporter = config.operator ? startReporter(config.operator, server, log) : undefined;

  void engine.died.then(async (error) => {
    log.fatal({ error: error.message }, 'the engine died');
    await Promise.all([reporter?.stop(LAST_REPORT_SECONDS), sleep(clock, LAST_ANSWERS_SECONDS)]);
    process.exit(1);
  });

  const hurry = await firstSignal(log);
  server.models.drain();
  reporter?.hurry();
  const { drainLagSeconds: lagSeconds, drainLimitSeconds: limitSeconds } = config;
  const limits = { lagSeconds, limitSeconds, hurry };
  const drained = await Promise.all([
    drain({ server: server.http, clock, log, ...limits }),
    server.grpc.drain(limits),
  ]);
  const clean = drained.every(Boolean);
  await Promise.all([reporter?.stop(LAST_REPORT_SECONDS), tracing?.close()]);
  log.info({ clean }, 'drained');
  process.exit(clean ? 0 : 1);
}

function configOrExit(): Config {
  try {
    const config = readConfig(process.argv.slice(2), {
      variables: process.env,
      memoryBytes: containerMemoryBytes(),
      readFile: (path) => readFileSync(path, 'utf8'),
    });
    if (config !== 'help') return config;
    process.stdout.write(HELP);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/** Without a limit Node tells either nothing or a number beyond all memory. */
function containerMemoryBytes(): number {
  const bytes = process.constrainedMemory();
  return bytes < totalmem() ? bytes : 0;
}

async function listen({ http, grpc }: ModelServer, config: Config, log: Logger): Promise<void> {
  const { host, port } = config;
  http.listen({ port, host });
  await once(http, 'listening');
  const grpcPort = await grpc.listen({ ...(host === undefined ? {} : { host }), port: config.grpcPort });
  const { address, port: actualPort } = http.address() as AddressInfo;
  log.info({ address, grpcPort, port: actualPort }, 'listening');
}

/** The file may be missing or unreadable without harm: the operator's first reply says what to serve, too. */
async function readAssignment(file: string | undefined, log: Logger): Promise<ModelAssignment | undefined> {
  if (file === undefined) return undefined;
  try {
    const parsed = ModelAssignment.safeParse(JSON.parse(await readFile(file, 'utf8')));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    log.error({ file, field: issue?.path.join('.'), problem: issue?.message }, 'assignment not understood');
  } catch (error) {
    log.error({ file, error: (error as Error).message }, 'assignment not readable');
  }
  return undefined;
}

function startReporter(
  operator: NonNullable<Config['operator']>,
  { models, metrics, load }: ModelServer,
  log: Logger,
): Reporter {
  const client = new OperatorClient(operator);
  const [service = ''] = models.names;
  const model = models.get(service);
  const startedAt = clock.epochMilliseconds();
  const reporter = new Reporter({
    report: (sequence): LoadReport => ({
      ...{ pod: operator.pod, service, sequence, startedAt },
      ...model.report(),
      load: load(),
    }),
    send: (report, signal) => client.send(report, signal),
    assign: (assignment) => model.assign(assignment),
    reported: (result) => metrics.reported(result),
    clock,
    log,
  });
  model.onChange(() => reporter.hurry());
  reporter.start();
  return reporter;
}

/** The first request to end, with a signal that a second one aborts. */
async function firstSignal(log: Logger): Promise<AbortSignal> {
  const hurry = new AbortController();
  await new Promise<void>((resolve) => {
    let count = 0;
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        log.info({ signal: name }, count++ === 0 ? 'asked to end' : 'asked to end at once');
        if (count === 1) resolve();
        else hurry.abort();
      });
    }
  });
  return hurry.signal;
}

main().catch((error: Error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
