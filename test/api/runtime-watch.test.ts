import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pLimit from 'p-limit';
import type { KubeClient } from '../../operator/kube/client.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { type Clock, sleepOn, systemClock } from '../../operator/runtime/clock.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import { Reflector } from '../../operator/runtime/reflector.ts';
import { Store } from '../../operator/runtime/store.ts';
import type { City } from '../region/city.ts';
import { logLines } from '../unit/runtime/log-lines.ts';
import { cluster } from './cluster.ts';
import { restartControllers, untilFurnished } from './readiness.ts';

const many = 2000;
let city: City;
let client: KubeClient;
let namespace: string;
beforeAll(async () => {
  city = await cluster();
  client = new HttpKubeClient({ loadConfig: fromFile(city.kubeconfigPath) });
  namespace = await city.freshNamespace('watch');
});
afterAll(async () => {
  await restartControllers(city);
  await client.close();
});

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** A local copy of the config maps of this test, with a client of its own. */
async function reflect(clock: Clock = systemClock, within = namespace) {
  const own = new HttpKubeClient({ loadConfig: fromFile(city.kubeconfigPath) });
  const store = new Store<KubeObject>();
  const restarts: string[] = [];
  const { log, lines } = logLines();
  const reflector = new Reflector({
    client: own,
    resource: resources.ConfigMap,
    store,
    clock,
    log,
    selection: { namespace: within },
    metrics: { ...noMetrics, watchRestarted: (_, reason) => restarts.push(reason) },
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  cleanUps.push(async () => {
    stop.abort();
    await running;
    await own.close();
  });
  await reflector.synced;
  return { store, reflector, restarts, lines };
}

const put = (name: string, data: Record<string, string> = {}, within = namespace) =>
  client.apply(
    resources.ConfigMap,
    { metadata: { name, namespace: within, labels: { round: data['round'] ?? '0' } }, data } as KubeObject,
    { fieldManager: 'aicity-test', force: true },
  );
const drop = (name: string) => client.delete(resources.ConfigMap, { namespace, name });

/** The copy holds exactly what the server holds. */
async function expectSame(store: Store<KubeObject>, within = namespace): Promise<void> {
  const versions = (objects: readonly KubeObject[]) =>
    objects.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).sort();
  await city.until('the copy equals the server', 60, async () => {
    const { items } = await client.list(resources.ConfigMap, { namespace: within });
    return JSON.stringify(versions(store.list())) === JSON.stringify(versions(items));
  });
}

/** Time in which a minute passes in a second, for limits that are minutes long. */
function hastened(factor: number): Clock {
  return {
    now: () => new Date(),
    monotonicSeconds: () => systemClock.monotonicSeconds() * factor,
    after: (seconds, callback) => systemClock.after(seconds / factor, callback),
    sleep(seconds, signal) {
      return sleepOn(this, seconds, signal);
    },
  };
}

test(`${many} objects are copied, as a stream and in pages, and followed through a burst of changes`, async () => {
  const limit = pLimit(24);
  const crowd = await city.freshNamespace('crowd');
  await untilFurnished(city, crowd);
  const all = (round: string) =>
    Promise.all(Array.from({ length: many }, (_, n) => limit(() => put(`c${n}`, { round }, crowd))));
  await all('1');
  const { store, restarts } = await reflect(systemClock, crowd);
  expect(store.size).toBe(many + 1); // and the root certificate of every namespace
  const { items } = await client.list(resources.ConfigMap, { namespace: crowd, limit: 300 });
  expect(items).toHaveLength(many + 1);
  expect(new Set(items.map(({ metadata }) => metadata.uid)).size).toBe(many + 1);
  await all('2');
  await expectSame(store, crowd);
  expect(restarts).toEqual([]);
  expect(store.list()[0]!.metadata).not.toHaveProperty('managedFields');
});

describe('the API server', () => {
  test('is killed in the middle of a watch: what changes before, during and after is seen', async () => {
    await put('before');
    await put('doomed');
    const { store, restarts } = await reflect();
    await city.faults.signal('kube-apiserver', 'SIGKILL');
    await city.untilUp();
    await drop('doomed'); // most likely before the watch is back
    await put('after');
    await expectSame(store);
    expect(restarts.length).toBeGreaterThan(0);
    await put('later');
    await expectSame(store);
  });

  test('is killed again and again', async () => {
    const { store } = await reflect();
    for (let round = 0; round < 3; round += 1) {
      await city.faults.signal('kube-apiserver', 'SIGKILL');
      await city.untilUp();
      await put(`round-${round}`);
      await put('before', { round: `${round}` });
    }
    await expectSame(store);
  });

  test('hangs: calls give up in time, a silent watch is replaced, and then all is as before', async () => {
    await put('frozen');
    const { store, restarts, reflector } = await reflect(hastened(60)); // a silent watch lasts 5 to 11 s
    await city.faults.signal('kube-apiserver', 'SIGSTOP');
    const silences = () => restarts.filter((reason) => reason === 'Silence').length;
    const before = silences(); // where the machine is slow, one may have come before it
    try {
      await expect(
        client.get(resources.ConfigMap, { namespace, name: 'frozen' }, { timeoutSeconds: 2 }),
      ).rejects.toMatchObject({ kind: 'retry', reason: 'Timeout' });
      await city.until('the silence is noticed', 120, async () => silences() > before);
      expect(reflector.staleSeconds()).toBeGreaterThan(0);
    } finally {
      await city.faults.signal('kube-apiserver', 'SIGCONT');
    }
    await city.untilUp();
    await put('thawed');
    await drop('frozen');
    await expectSame(store);
    // In hastened time a watch is also silent for too long while the server is well, and is opened again.
    await city.until('the copy is up to date', 60, async () => reflector.staleSeconds() === 0);
  });
});
