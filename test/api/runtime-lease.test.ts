import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import { systemClock } from '../../operator/runtime/clock.ts';
import { LeaderElection } from '../../operator/runtime/lease.ts';
import type { City } from '../region/city.ts';
import { logLines } from '../unit/runtime/log-lines.ts';
import { cluster } from './cluster.ts';
import { restartControllers } from './readiness.ts';

/** Long enough for a busy machine to answer in between. */
const durations = { leaseSeconds: 15, renewDeadlineSeconds: 12, retrySeconds: 1 };
let city: City;
let namespace: string;
beforeAll(async () => {
  city = await cluster();
});
afterAll(() => restartControllers(city));
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

function replica(identity: string) {
  const client = new HttpKubeClient({ loadConfig: fromFile(city.kubeconfigPath) });
  const { log, lines } = logLines();
  const election = new LeaderElection({
    client,
    namespace,
    name: 'operator',
    identity,
    clock: systemClock,
    log,
    durations,
  });
  const stop = new AbortController();
  const life: string[] = [];
  const running = (async () => {
    if (!(await election.win(stop.signal))) return;
    life.push('leads');
    life.push(await election.hold(stop.signal));
  })();
  cleanUps.push(async () => {
    stop.abort();
    await running;
    await client.close();
  });
  return { election, stop, life, running, client, lines };
}

const until = (what: string, isSo: () => boolean) => city.until(what, 60, async () => isSo());
const holder = () =>
  city.kubectl(['get', 'lease', 'operator', '-n', namespace, '-o', 'jsonpath={.spec.holderIdentity}']);

test('of two replicas one leads; the other follows when it leaves, and when it falls silent', async () => {
  namespace = await city.freshNamespace('lease');
  const a = replica('a');
  await until('a leads', () => a.election.isLeader);
  const b = replica('b');
  await sleep(17_000); // longer than a lease
  expect([a.life, b.life]).toEqual([['leads'], []]);
  expect(await holder()).toBe('a');

  a.stop.abort();
  await until('b leads', () => b.election.isLeader);
  await a.running;
  expect(a.life).toEqual(['leads', 'stopped']);
  expect(await holder()).toBe('b');

  const c = replica('c');
  let leaders = 0;
  const watcher = setInterval(() => {
    leaders = Math.max(leaders, Number(b.election.isLeader) + Number(c.election.isLeader));
  }, 20);
  // b is cut off: its calls fail from now on.
  Object.assign(b.client, { replace: rejectAll, get: rejectAll });
  await until('c leads', () => c.election.isLeader);
  clearInterval(watcher);
  await b.running;
  expect(b.life).toEqual(['leads', 'lost']);
  expect(leaders).toBe(1);
  expect(await city.kubectl(['get', 'lease', 'operator', '-n', namespace, '-o', 'json'])).toContain(
    '"leaseTransitions": 2',
  );
});

test('a restart of the API server ends with exactly one leader', async () => {
  namespace = await city.freshNamespace('lease');
  const replicas = [replica('a')];
  await until('a leads', () => replicas[0]!.election.isLeader);
  replicas.push(replica('b'));
  await city.faults.signal('kube-apiserver', 'SIGKILL');
  await city.untilUp();
  let leaders = 0;
  await until('somebody leads', () => {
    // A process that has lost the lead exits; Kubernetes starts another in its place.
    const exited = replicas.findIndex(({ life }) => life.includes('lost'));
    if (exited !== -1) replicas.splice(exited, 1, replica(`successor-${Date.now()}`));
    leaders = replicas.filter(({ election }) => election.isLeader).length;
    return leaders > 0;
  });
  expect(leaders).toBe(1);
});

async function rejectAll(): Promise<never> {
  throw new Error('cut off');
}
