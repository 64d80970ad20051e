import { afterEach, describe, expect, test } from '@jest/globals';
import { HttpKubeClient } from '../../../operator/kube/http-client.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { resources } from '../../../operator/kube/resources.ts';
import { noMetrics } from '../../../operator/runtime/metrics.ts';
import { Reflector, type ReflectorOptions } from '../../../operator/runtime/reflector.ts';
import { Store } from '../../../operator/runtime/store.ts';
import {
  hang,
  hangUp,
  json,
  lines,
  type Responder,
  ScriptedServer,
  status,
} from '../kube/scripted-server.ts';
import { FakeClock } from './fake-clock.ts';
import { logLines } from './log-lines.ts';

type Pod = KubeObject & { readonly spec?: unknown };

const pod = (name: string, resourceVersion: string, rest: object = {}) => ({
  metadata: { name, namespace: 'city', uid: name, resourceVersion, managedFields: [{ manager: 'm' }] },
  ...rest,
});
const added = (name: string, version: string) => ({ type: 'ADDED', object: pod(name, version) });
const deleted = (name: string, version: string) => ({ type: 'DELETED', object: pod(name, version) });
const bookmark = (version: string) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion: version } },
});
const end = (version: string) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion: version, annotations: { 'k8s.io/initial-events-end': 'true' } } },
});
const errorEvent = (code: number, reason: string) => ({
  type: 'ERROR',
  object: { kind: 'Status', code, reason, message: reason },
});

let cleanUp: () => Promise<void> = async () => {};
afterEach(() => cleanUp());

async function reflect(answers: Responder[], options: Partial<ReflectorOptions<Pod>> = {}) {
  const server = await new ScriptedServer().start(...answers);
  const client = new HttpKubeClient({ loadConfig: server.config(), maxLineBytes: 10_000 });
  const clock = new FakeClock();
  const store = new Store<Pod>();
  const restarts: string[] = [];
  const { log, lines: logged } = logLines();
  const reflector = new Reflector<Pod>({
    client,
    resource: resources.Pod,
    store,
    clock,
    log,
    random: () => 0.5,
    metrics: { ...noMetrics, watchRestarted: (_, reason) => restarts.push(reason) },
    ...options,
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  cleanUp = async () => {
    stop.abort();
    await running;
    await client.close();
    await server.stop();
  };
  const names = () => store.list().map(({ metadata }) => metadata.name);
  /** Moves the clock by small steps until it is so; the network in between takes its own time. */
  const until = async (isSo: () => boolean, stepSeconds = 0.5) => {
    for (let turn = 0; turn < 2000 && !isSo(); turn += 1) {
      await clock.advance(stepSeconds);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(isSo()).toBe(true);
  };
  return { server, reflector, store, clock, names, restarts, until, stop, running, logged };
}

describe('listing', () => {
  test('a streamed list shows at its end, and the watch goes on with the same connection', async () => {
    const { reflector, names, server, store, until } = await reflect([
      lines([added('a', '1'), added('b', '2'), bookmark('2'), end('2'), added('c', '3'), deleted('a', '4')]),
    ]);
    await reflector.synced;
    await until(() => store.size === 2 && names().includes('c'), 0);
    expect(names()).toEqual(['b', 'c']);
    expect(server.requests).toHaveLength(1);
    expect(reflector.staleSeconds()).toBe(0);
  });

  test('nothing shows before the end', async () => {
    const { store, reflector, clock, until } = await reflect([lines([added('a', '1'), bookmark('1')])]);
    await until(() => clock.monotonicSeconds() > 5);
    expect(store.size).toBe(0);
    expect(reflector.isSynced).toBe(false);
    expect(reflector.staleSeconds()).toBeGreaterThan(4);
  });

  test('a server without streamed lists is read in pages and watched from there', async () => {
    const { reflector, names, server, until } = await reflect([
      status(422, 'Invalid', 'sendInitialEvents is forbidden'),
      json({ metadata: { resourceVersion: '5', continue: 'more' }, items: [pod('a', '1')] }),
      json({ metadata: { resourceVersion: '5' }, items: [pod('b', '2')] }),
      lines([added('c', '6')]),
    ]);
    await reflector.synced;
    await until(() => names().length === 3, 0);
    expect(server.requests[3]!.query).toMatchObject({ watch: 'true', resourceVersion: '5' });
  });

  test('a list with an object without a name is not taken for the truth', async () => {
    const { store, restarts, until } = await reflect([
      status(422, 'Invalid', ''),
      json({ metadata: { resourceVersion: '5' }, items: [{ metadata: {} }] }),
      lines([added('a', '1'), end('1')]),
      json({ metadata: { resourceVersion: '5' }, items: [pod('a', '1')] }),
    ]);
    await until(() => restarts.includes('BadResponse'));
    expect(store.synced).toBe(false);
  });
});

describe('a watch that fails', () => {
  test.each([
    ['is told 410', [status(410, 'Expired', 'too old')]],
    ['is told 410 as an event', [lines([errorEvent(410, 'Expired')])]],
  ])('%s: all is listed anew and what was deleted meanwhile goes', async (_, answers) => {
    const { reflector, names, until } = await reflect([
      lines([added('a', '1'), added('b', '2'), end('2')], { end: true }),
      ...answers,
      lines([added('b', '2'), added('c', '9'), end('9')]),
    ]);
    await reflector.synced;
    await until(() => names().includes('c'));
    expect(names().sort()).toEqual(['b', 'c']);
  });

  test.each([
    ['is told 500', [status(500, 'InternalError', 'oops')], 'InternalError'],
    ['is told 500 as an event', [lines([errorEvent(500, 'InternalError')])], 'InternalError'],
    ['is told 429', [status(429, 'TooManyRequests', 'later', { 'retry-after': '3' })], 'TooManyRequests'],
    ['is hung up on', [hangUp, hangUp], 'Network'],
    ['has lost its permission', [status(403, 'Forbidden', 'no')], 'Forbidden'],
  ])('%s: it goes on from the last version', async (_, answers, reason) => {
    const { reflector, names, until, server, restarts } = await reflect([
      lines([added('a', '1'), end('1'), bookmark('77')], { end: true }),
      ...answers,
      lines([added('c', '78')]),
    ]);
    await reflector.synced;
    await until(() => names().includes('c'));
    expect(names()).toEqual(['a', 'c']);
    expect(restarts).toContain(reason);
    expect(server.requests.at(-1)!.query['resourceVersion']).toBe('77');
  });

  test.each([
    ['is sent garbage', lines(['{"type":"ADDED","obj', ''])],
    ['is sent an event of an unknown type', lines([{ type: 'SPROUTED', object: pod('x', '9') }])],
    ['is sent an event without an object', lines([{ type: 'ADDED' }])],
    ['is sent a line without end', lines(['x'.repeat(20_000)])],
  ])('%s: all is listed anew', async (_, answer) => {
    const { reflector, names, until } = await reflect([
      lines([added('a', '1'), end('1')], { end: true }),
      answer,
      lines([added('c', '9'), end('9')]),
    ]);
    await reflector.synced;
    await until(() => names().includes('c'));
    expect(names()).toEqual(['c']);
  });

  test('a connection that stays open but silent is cut, and the watch goes on elsewhere', async () => {
    const { reflector, names, until, restarts, clock } = await reflect(
      [lines([added('a', '1'), end('1'), bookmark('7')]), lines([added('c', '8')])],
      { silenceSeconds: 150 },
    );
    await reflector.synced;
    await until(() => restarts.length > 0, 1);
    // Here and not below: until a new connection stands, the clock moves on as long as the network takes.
    expect(clock.monotonicSeconds()).toBeGreaterThanOrEqual(150);
    expect(clock.monotonicSeconds()).toBeLessThan(200);
    await until(() => names().includes('c'));
    expect(restarts).toEqual(['Silence']);
    expect(names()).toEqual(['a', 'c']);
  });

  test('bookmarks keep a quiet watch alive', async () => {
    let say: (line: string) => void = () => {};
    const { reflector, restarts, clock, server, until } = await reflect([
      (response) => {
        lines([end('1')])(response, server.requests[0]!);
        say = (line) => void response.write(`${line}\n`);
      },
    ]);
    await reflector.synced;
    for (let minute = 0; minute < 30; minute += 1) {
      say(JSON.stringify(bookmark(`${minute}`)));
      // The clock waits for the network.
      await until(() => reflector.quietSeconds() === 0, 0);
      await until(() => clock.monotonicSeconds() >= 60 * (minute + 1), 10);
    }
    expect(restarts).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  test('a server that refuses for an hour is asked at a decent pace, and then all is well', async () => {
    const { reflector, names, until, server, clock, store } = await reflect([
      lines([added('a', '1'), end('1')], { end: true }),
      status(503, 'ServiceUnavailable', 'not now'),
    ]);
    await reflector.synced;
    // In small steps: the clock moves on while a request is on its way.
    await until(() => clock.monotonicSeconds() > 3600, 2);
    expect(server.requests.length).toBeGreaterThan(100);
    expect(server.requests.length).toBeLessThan(300);
    expect(store.size).toBe(1); // what was known stays known
    expect(reflector.staleSeconds()).toBeGreaterThan(3500);
    expect(reflector.quietSeconds()).toBeLessThan(60);
    server.answer(lines([added('a', '1'), added('c', '2'), end('2')]));
    await until(() => names().includes('c'));
  });
});

test('a listener that throws is none of its business', async () => {
  const { reflector, names, store, until } = await reflect([
    lines([added('a', '1'), end('1'), added('b', '2')]),
  ]);
  store.subscribe(() => {
    throw new Error('listener');
  });
  await reflector.synced;
  await until(() => names().length === 2, 0);
});

test('objects are cut down on their way in; one that cannot be is kept whole', async () => {
  const { reflector, store, logged } = await reflect(
    [lines([added('a', '1'), added('bad', '2'), end('2')])],
    {
      project: (object) => {
        if (object.metadata.name === 'bad') throw new TypeError('no spec');
        return { ...object, spec: 'short' };
      },
    },
  );
  await reflector.synced;
  const get = (name: string) => store.get({ cluster: '', namespace: 'city', name });
  expect(get('a')).toMatchObject({ spec: 'short' });
  expect(get('a')!.metadata).not.toHaveProperty('managedFields');
  expect(get('bad')).toMatchObject({ metadata: { name: 'bad' } });
  expect(logged).toMatchObject([{ msg: 'projection failed, object kept whole', key: 'city/bad' }]);
});

test.each([
  ['while it connects', [hang]],
  ['while it watches', [lines([added('a', '1'), end('1')])]],
  ['while it waits', [status(503, 'ServiceUnavailable', 'no')]],
])('stopping %s is quick and clean', async (_, answers) => {
  const { server, stop, running, until, clock } = await reflect(answers);
  await until(() => server.requests.length > 0, 0);
  stop.abort();
  await running;
  expect(clock.pending).toBe(0);
});
