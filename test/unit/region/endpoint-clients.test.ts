import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EndpointClients, type ReachedEndpoint } from '../../region/endpoint-clients.ts';

interface City {
  readonly server: Server;
  readonly endpoint: ReachedEndpoint;
  asked: number;
}

let cities: City[];
let endpoints: ReachedEndpoint[];

/** Answers with its own number; every third request fails where the city is ill. */
async function city(name: string, number: number, weight: number, isIll = false): Promise<City> {
  const server = createServer((request, response) => {
    request.resume();
    found.asked++;
    if (isIll && found.asked % 3 === 0) response.writeHead(503).end('{"error":"draining"}');
    else response.end(`{"predictions":[[${number}]]}`);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const reached = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const found: City = { server, endpoint: { city: name, url: `http://${name}`, weight, reached }, asked: 0 };
  cities.push(found);
  return found;
}

beforeEach(() => {
  [cities, endpoints] = [[], []];
});
afterEach(() => {
  for (const { server } of cities) {
    server.closeAllConnections();
    server.close();
  }
});

const start = () =>
  new EndpointClients({
    read: async () => endpoints,
    name: 'traffic',
    body: '{"instances": []}',
    clients: 3,
    pauseMilliseconds: 1,
  });

test('ask by weight, and count every answer and every failure', async () => {
  const [porto, faro] = [await city('porto', 1.504, 2, true), await city('faro', 7, 1)];
  endpoints = [porto.endpoint, faro.endpoint];
  const clients = start();
  await clients.untilAnswered(60);
  await Promise.all([clients.stop(), clients.stop()]);
  await clients.stop();
  const inPorto = clients.answered.get('porto')!;
  expect(inPorto + clients.unanswered.length).toBe(porto.asked);
  expect(clients.unanswered).toHaveLength(Math.floor(porto.asked / 3));
  expect(clients.unanswered[0]).toMatchObject({ city: 'porto', why: '503: {"error":"draining"}' });
  expect(clients.answered.get('faro')).toBe(faro.asked);
  expect(porto.asked / faro.asked).toBeCloseTo(2, 0);
  expect(clients.answers).toEqual(
    new Map([
      [1.5, inPorto],
      [7, faro.asked],
    ]),
  );
  expect(clients.answeredInAll).toBe(inPorto + faro.asked);
});

test('go where the endpoints say, and remember when a request began', async () => {
  const [porto, faro] = [await city('porto', 1, 1), await city('faro', 2, 1)];
  endpoints = [porto.endpoint];
  const clients = start();
  await clients.untilAnswered(5);
  expect(faro.asked).toBe(0);
  porto.server.closeAllConnections();
  porto.server.close();
  while (clients.unanswered.length === 0) await new Promise((later) => setTimeout(later, 10));
  endpoints = [faro.endpoint];
  // It gives up after a while, in which a busy machine may not have come to read.
  while (clients.endpoints !== endpoints) await clients.untilReadAgain();
  const shiftedAtMs = performance.now();
  await clients.untilAnswered(5);
  await clients.stop();
  expect(clients.unanswered.length).toBeGreaterThan(0);
  expect(clients.unanswered.every(({ city }) => city === 'porto')).toBe(true);
  expect(clients.unansweredSince(shiftedAtMs)).toEqual([]);
  expect(clients.endpoints).toEqual([faro.endpoint]);
  expect(faro.asked).toBeGreaterThanOrEqual(5);
});
