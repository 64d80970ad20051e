/**
 * What kubelet and Prometheus ask: `/livez`, `/readyz` and `/metrics`, on a port of their own.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Registry } from 'prom-client';

/** Looks at one part; a sentence says what is wrong, undefined that nothing is. */
export type HealthCheck = () => string | undefined;

export interface HealthOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host?: string;
  /** Only what a restart of the process can cure. That the event loop turns is shown by answering at all. */
  readonly liveness: Readonly<Record<string, HealthCheck>>;
  readonly readiness: Readonly<Record<string, HealthCheck>>;
  readonly registry: Registry;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const app = express();
  app.disable('x-powered-by');
  app.get('/livez', answer(options.liveness));
  app.get('/readyz', answer(options.readiness));
  app.get('/metrics', async (_request, response) => {
    response.type(options.registry.contentType).send(await options.registry.metrics());
  });
  const server = createServer(app);
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** 200 when all checks pass, else 500 with the sentences of those that do not. */
function answer(checks: HealthOptions['liveness']): express.RequestHandler {
  return (_request, response) => {
    const results = Object.entries(checks).map(([name, check]) => ({ name, problem: problemOf(check) }));
    const isWell = results.every(({ problem }) => problem === undefined);
    const lines = results.map(({ name, problem = 'ok' }) => `${name}: ${problem}\n`);
    response.status(isWell ? 200 : 500).type('text/plain');
    response.send(isWell ? `ok\n${lines.join('')}` : lines.join(''));
  };
}

function problemOf(check: HealthCheck): string | undefined {
  try {
    return check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a reflector shows to the checks. */
export interface ReflectorHealth {
  readonly watched: { readonly cluster: string; readonly kind: string };
  readonly isSynced: boolean;
  quietSeconds(): number;
}

/**
 * For liveness: every reflector has done something within the limit. One that cannot reach its API server keeps
 * trying and passes; a restart would not bring that server back.
 */
export function reflectorsTurn(reflectors: readonly ReflectorHealth[], limitSeconds = 900): HealthCheck {
  return () => {
    const stuck = reflectors.filter((reflector) => reflector.quietSeconds() > limitSeconds);
    if (stuck.length === 0) return undefined;
    return `these watches have neither moved nor failed for ${limitSeconds} s: ${kinds(stuck)}`;
  };
}

/** For readiness: every local copy has been filled once. */
export function reflectorsSynced(reflectors: readonly ReflectorHealth[]): HealthCheck {
  return () => {
    const missing = reflectors.filter(({ isSynced }) => !isSynced);
    return missing.length === 0 ? undefined : `not yet listed: ${kinds(missing)}`;
  };
}

/** For liveness: no reconcile has been running for longer than the limit, far beyond its own time limit. */
export function reconcilesFinish(
  controllers: readonly { readonly name: string; longestRunSeconds(): number }[],
  limitSeconds = 600,
): HealthCheck {
  return () => {
    const stuck = controllers.filter((controller) => controller.longestRunSeconds() > limitSeconds);
    if (stuck.length === 0) return undefined;
    return `a reconcile has been running for more than ${limitSeconds} s in: ${stuck.map(({ name }) => name).join(', ')}`;
  };
}

function kinds(reflectors: readonly ReflectorHealth[]): string {
  return reflectors
    .map(({ watched: { cluster, kind } }) => (cluster ? `${kind} in ${cluster}` : kind))
    .join(', ');
}
