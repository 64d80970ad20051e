/** A region whose clients come through a Gateway that others make; the hub and its API server are real, cities are played. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { upstreamDefinition } from '../api/upstream-definitions.ts';
import { RegionHub } from '../hub/region-hub.ts';
import type { City } from '../region/city.ts';
import { startCity } from '../region/start-city.ts';
import { Backend } from './backend.ts';
import { CONTROLLER, Traefik } from './traefik.ts';

jest.setTimeout(600_000);

const GATEWAY_API = [
  'GatewayClass',
  'Gateway',
  'HTTPRoute',
  'GRPCRoute',
  'ReferenceGrant',
  'BackendTLSPolicy',
] as const;

/** Gateways that take routes of all namespaces, and of their own alone. */
const gateways = (port: number) => `
apiVersion: v1
kind: Namespace
metadata: {name: gateways}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: traefik}
spec: {controllerName: ${CONTROLLER}}
${[
  ['public', 'All'],
  ['closed', 'Same'],
]
  .map(
    ([name, from]) => `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: gateways}
spec:
  gatewayClassName: traefik
  listeners: [{name: web, protocol: HTTP, port: ${port}, allowedRoutes: {namespaces: {from: ${from}}}}]
`,
  )
  .join('')}`;

let city: City;
let hub: RegionHub;
let traefik: Traefik;
const backends = new Map<string, Backend>();
/** One connection to the Gateway, as of a client that is not hurt by another's slow answer. */
const dispatcher = new Agent({ connections: 1 });

beforeAll(async () => {
  city = await startCity({ name: 'gateway', light: true });
  for (const kind of GATEWAY_API) {
    await city.kubectl(['apply', '--server-side', '-f', '-'], await upstreamDefinition(kind));
  }
  traefik = await Traefik.start(city);
  await city.until('the Gateways are made', 60, async () => {
    await city.apply(gateways(traefik.port));
    return true;
  });
  hub = await RegionHub.start(city, 'gateway');
  // Its short grace keeps all heartbeats quick.
  await hub.applyService('quick', { replicas: 0 });
  for (const name of ['porto', 'faro']) {
    const backend = await Backend.start(name);
    backends.set(name, backend);
    await hub.addCity(name, { spec: { addressRanges: [`${backend.address}/32`] }, url: backend.url });
  }
});
afterAll(async () => {
  await traefik?.stop();
  await hub?.stop();
  for (const backend of backends.values()) await backend.stop();
  await dispatcher.close();
  await city?.stop();
});

/** Who answers, or why nobody does. */
async function ask(): Promise<string> {
  try {
    const path = `http://127.0.0.1:${traefik.port}/v1/models/traffic`;
    const { statusCode, body } = await request(path, { dispatcher, headersTimeout: 5_000 });
    const text = await body.text();
    return statusCode === 200 ? text : String(statusCode);
  } catch (error) {
    return (error as Error).message;
  }
}

async function askTimes(times: number): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  for (let count = 0; count < times; count++) {
    const answer = await ask();
    answers[answer] = (answers[answer] ?? 0) + 1;
  }
  return answers;
}

async function serve(replicas: number, gateway = 'public'): Promise<void> {
  const route = { parentRefs: [{ name: gateway, namespace: 'gateways' }] };
  await hub.applyService('traffic', { replicas, placement: { route } });
}

async function untilRouted(wanted: { status: string; reason: string; message: RegExp }): Promise<void> {
  await hub.until(`Routed is ${wanted.reason}`, async () => {
    const { conditions = [] } = await hub.status('traffic');
    const routed = conditions.find(({ type }) => (type as string) === 'Routed');
    expect(routed).toMatchObject({ ...wanted, message: expect.stringMatching(wanted.message) });
    return true;
  });
}

test('clients reach every city, as often as it has replicas', async () => {
  await serve(3);
  await hub.untilReady('traffic', 3);
  await untilRouted({ status: 'True', reason: 'Routed', message: /faro.*porto/ });
  await hub.until('both cities answer', async () => Object.keys(await askTimes(6)).length === 2);
  const { faro = 0, porto = 0 } = await askTimes(300);
  expect(faro + porto).toBe(300);
  const [fewer, more] = [Math.min(faro, porto), Math.max(faro, porto)];
  expect(more / fewer).toBeGreaterThan(1.5);
  expect(more / fewer).toBeLessThan(2.5);
});

test('no request fails once a city that is lost has left the route', async () => {
  const porto = hub.cities.get(hub.cityName('porto'))!;
  await porto.goSilent();
  await backends.get('porto')!.freeze();
  await hub.untilReady('traffic', 3);
  await hub.until('nobody is sent there any more', async () => {
    return (await hub.status('traffic')).endpoints?.length === 1;
  });
  await hub.until('faro alone answers', async () => (await askTimes(50))['faro'] === 50);
  expect(await askTimes(200)).toEqual({ faro: 200 });
  await backends.get('porto')!.thaw();
  porto.comeBack();
});

test('the answer is 503 while nothing is ready', async () => {
  await serve(0);
  await untilRouted({ status: 'False', reason: 'NothingReady', message: /the route answers 503/ });
  await hub.until('it is', async () => (await ask()) === '503');
  expect(await askTimes(20)).toEqual({ 503: 20 });
  await serve(2);
  await hub.until('somebody answers again', async () => /porto|faro/.test(await ask()));
});

test('a Gateway that does not take the route is told of in its own words', async () => {
  await serve(2, 'closed');
  await untilRouted({
    status: 'False',
    reason: 'RouteNotAccepted',
    message: /Gateway closed: Accepted is False/,
  });
  await serve(2);
  await untilRouted({ status: 'True', reason: 'Routed', message: /clients are sent/ });
});
