import { afterEach, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import {
  type HealthOptions,
  type HealthServer,
  reconcilesFinish,
  reflectorsSynced,
  reflectorsTurn,
  serveHealth,
} from '../../../operator/telemetry/health.ts';

let server: HealthServer | undefined;
afterEach(() => server?.close());

async function ask(path: string, options: Partial<HealthOptions> = {}) {
  server = await serveHealth({
    port: 0,
    host: '127.0.0.1',
    liveness: {},
    readiness: {},
    registry: new Registry(),
    ...options,
  });
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: response.status, text: await response.text(), type: response.headers.get('content-type') };
}

test('all is well', async () => {
  expect(await ask('/livez', { liveness: { watches: () => undefined } })).toMatchObject({
    status: 200,
    text: 'ok\nwatches: ok\n',
  });
});

test('what is not well is said, beside what is', async () => {
  const readiness = { copies: () => 'not yet listed: Pod', lease: () => undefined };
  expect(await ask('/readyz', { readiness })).toMatchObject({
    status: 500,
    text: 'copies: not yet listed: Pod\nlease: ok\n',
  });
});

test('a check that throws is not well, and hides nothing', async () => {
  const liveness = {
    broken: () => {
      throw new Error('oops');
    },
  };
  expect(await ask('/livez', { liveness })).toMatchObject({ status: 500, text: 'broken: oops\n' });
});

test('metrics come in the format of Prometheus', async () => {
  expect(await ask('/metrics')).toMatchObject({
    status: 200,
    type: expect.stringMatching(/^text\/plain; version=0\.0\.4/),
  });
});

test('any other path is not there', async () => {
  expect((await ask('/')).status).toBe(404);
});

test('checks of the runtime name what is stuck', () => {
  const watch = (kind: string, quiet: number, isSynced: boolean, cluster = '') => ({
    watched: { cluster, kind },
    isSynced,
    quietSeconds: () => quiet,
  });
  const watches = [watch('Pod', 10, true), watch('Node', 901, true), watch('Pod', 1000, false, 'porto')];
  expect(reflectorsTurn(watches)()).toBe(
    'these watches have neither moved nor failed for 900 s: Node, Pod in porto',
  );
  expect(reflectorsTurn(watches.slice(0, 1))()).toBeUndefined();
  expect(reflectorsSynced(watches)()).toBe('not yet listed: Pod in porto');
  expect(reflectorsSynced(watches.slice(0, 2))()).toBeUndefined();
  const controller = (name: string, seconds: number) => ({ name, longestRunSeconds: () => seconds });
  expect(reconcilesFinish([controller('city', 599)])()).toBeUndefined();
  expect(reconcilesFinish([controller('city', 601), controller('hub', 3)])()).toBe(
    'a reconcile has been running for more than 600 s in: city',
  );
});
