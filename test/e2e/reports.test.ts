import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CONFIG_MAP_KEYS, REPORT_AUDIENCE, REPORT_PATH } from '../../crds/pod-contract.ts';
import { OPERATOR_NAMESPACE, operatorState } from '../region/installation.ts';
import { city as sharedCity } from './city.ts';
import { Outsider, type Reply } from './outsider.ts';
import { ServedModel } from './served-model.ts';

/** Some of those that enforce policies drop what is not allowed, others refuse it: both look like nobody is there. */
const BLOCKED = ['TIMEOUT', 'ECONNREFUSED'];

/** Runs in a pod: answers at a port until it is asked for `/end`. */
const LISTEN = `
require('node:http')
  .createServer(({ url }, reply) => reply.end(() => url === '/end' && process.exit(0)))
  .listen(8081);
`;

const OPERATOR = `https://aicity-operator.${OPERATOR_NAMESPACE}.svc`;

describe('reports and the network', () => {
  let traffic: ServedModel;
  let outsider: Outsider;
  /** The replica, whose place others try to take. */
  let replica: { name: string; uid: string };
  let ca: string;

  beforeAll(async () => {
    const city = await sharedCity();
    traffic = await ServedModel.open(city, 'reports');
    await traffic.apply({ replicas: 1, gpu: { count: 0 } });
    await traffic.untilReady(1);
    outsider = await Outsider.open(traffic);
    replica = (await traffic.pods())[0]!;
    const key = CONFIG_MAP_KEYS.ca.replace('.', '\\.');
    ca = await traffic.kubectl(['get', 'configmap', 'traffic-model', '-o', `jsonpath={.data.${key}}`]);
  });
  afterAll(async () => await traffic?.close());

  /** A report that would change the status at once: the replica says that it has failed, now and for ever. */
  const lie = (more: Record<string, unknown> = {}) =>
    JSON.stringify({
      pod: { namespace: traffic.namespace, name: replica.name, uid: replica.uid },
      service: traffic.name,
      sequence: 1_000_000,
      startedAt: Date.now() + 3_600_000,
      state: 'Failed',
      error: { revision: '0123456789', reason: 'EngineFailed', message: 'a lie' },
      load: {
        ...{ busyShare: 1, queued: 9, inFlight: 9, queueTimeMilliseconds: 1 },
        ...{ requestsPerSecond: 1, rejectedPerSecond: 1, windowSeconds: 10 },
      },
      ...more,
    });
  /** What the operator says to a report; 503 says no more than that it cannot judge now, and to report again. */
  const report = async (token: string | undefined, body: string, type = 'application/json') => {
    const authorization = token !== undefined && { authorization: `Bearer ${token}` };
    const headers = { 'content-type': type, ...authorization };
    let reply: Reply | undefined;
    await traffic.city.until('the report is judged', 60, async () => {
      const question = { url: `${OPERATOR}${REPORT_PATH}`, method: 'POST', headers, body };
      reply = await outsider.ask(question, { ca });
      if (typeof reply.outcome !== 'number') throw new Error(reply.outcome);
      return reply.outcome !== 503;
    });
    return reply!;
  };
  const tokenOf = async (account: string, pod: string | undefined, audience = REPORT_AUDIENCE) =>
    await traffic.kubectl([
      ...['create', 'token', account, `--audience=${audience}`, '--duration=10m'],
      ...(pod === undefined ? [] : ['--bound-object-kind=Pod', `--bound-object-name=${pod}`]),
    ]);
  /** Reports refused so far, by reason, from the metrics of the leader. */
  const refusals = async (): Promise<Record<string, number>> => {
    const { leader } = await operatorState(traffic.city);
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${leader}:8080/proxy/metrics`;
    const text = await traffic.city.kubectl(['get', '--raw', path]);
    const lines = text.matchAll(/^aicity_reports_refused_total\{reason="(\w+)"\} (\d+)/gm);
    return Object.fromEntries([...lines].map(([, reason, count]) => [reason, Number(count)]));
  };
  /** A token with the claims of a real one, some of them changed, signed by `key`. */
  const signed = (token: string, key: KeyObject, changed: Record<string, unknown>) => {
    const [head = '', payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const body = `${head}.${Buffer.from(JSON.stringify({ ...claims, ...changed })).toString('base64url')}`;
    const signature = sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' });
    return `${body}.${signature.toString('base64url')}`;
  };
  const hourAgo = () => {
    const now = Math.floor(Date.now() / 1000);
    return { iat: now - 7200, nbf: now - 7200, exp: now - 3600 };
  };

  test('are taken from the very pod only, and a refusal is counted by its reason', async () => {
    const genuine = await tokenOf('traffic-model', replica.name);
    const ownKey = createPrivateKey(
      await traffic.city.exec(['cat', '/var/lib/rancher/k3s/pki/service-account.key']),
    );
    const { privateKey: otherKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const own = await tokenOf('default', outsider.name);
    const outsiderUid = await outsider.uid();
    const ownPod = { namespace: traffic.namespace, name: outsider.name, uid: outsiderUid };
    const elsewhere = { namespace: traffic.namespace, name: replica.name, uid: outsiderUid };

    const attempts: [string, number, () => ReturnType<typeof report>][] = [
      ['NoToken', 401, () => report(undefined, lie())],
      ['TokenMalformed', 401, () => report('garbage', lie())],
      [
        'TokenAudience',
        401,
        async () => report(await tokenOf('traffic-model', replica.name, 'other'), lie()),
      ],
      ['TokenNotPodBound', 403, async () => report(await tokenOf('traffic-model', undefined), lie())],
      ['TokenExpired', 401, () => report(signed(genuine, ownKey, hourAgo()), lie())],
      ['TokenRejected', 401, () => report(signed(genuine, otherKey, {}), lie())],
      ['PodNotOurs', 403, () => report(own, lie())],
      ['PodNotOurs', 403, () => report(own, lie({ pod: ownPod }))],
      ['OtherPod', 403, () => report(genuine, lie({ pod: ownPod }))],
      ['OtherPod', 403, () => report(genuine, lie({ pod: elsewhere }))],
      ['OtherService', 403, () => report(genuine, lie({ service: 'image' }))],
      ['BadContent', 400, () => report(genuine, '{"pod":')],
      ['BadContent', 400, () => report(genuine, lie({ state: 'Splendid' }))],
      ['NotJson', 415, () => report(genuine, lie(), 'text/plain')],
      ['TooLarge', 413, () => report(genuine, lie({ padding: 'x'.repeat(20_000) }))],
    ];
    const before = await refusals();
    const outcomes: unknown[] = [];
    for (const [, , attempt] of attempts) {
      const { outcome, body } = await attempt();
      outcomes.push([JSON.parse(body || '{}').reason, outcome]);
    }
    expect(outcomes).toEqual(attempts.map(([reason, status]) => [reason, status]));

    const after = await refusals();
    // At least: pods of earlier tests may be ending still, and are refused, too.
    for (const reason of new Set(attempts.map(([name]) => name))) {
      const added = (after[reason] ?? 0) - (before[reason] ?? 0);
      const ours = attempts.filter(([name]) => name === reason).length;
      expect({ reason, isCounted: added >= ours, added }).toMatchObject({ reason, isCounted: true });
    }
  });

  test('that were refused have changed nothing', async () => {
    // A status that follows an edit was computed from the reports as they are now.
    await traffic.edit({ serving: { maxDelayMilliseconds: 3 } });
    const status = await traffic.untilReady(1);
    expect(JSON.stringify(status)).not.toMatch(/a lie|EngineFailed/);
    expect(await traffic.pods()).toMatchObject([{ ...replica, restarts: 0 }]);
  });

  test('leave the metrics of the autoscaler to the API server', async () => {
    const url = `${OPERATOR}/apis/custom.metrics.k8s.io/v1beta2/namespaces/${traffic.namespace}/pods/*/aicity_load`;
    await traffic.city.until('the operator refuses to tell', 60, async () => {
      const { outcome } = await outsider.ask({ url }, { ca });
      expect([401, 403]).toContain(outcome);
      return true;
    });
  });

  test('a pod of models is reached at its port for inference and at no other', async () => {
    const ip = await traffic.kubectl(['get', 'pod', replica.name, '-o', 'jsonpath={.status.podIP}']);
    const at = async (port: number, from: string, path = '/v2/health/ready') =>
      (await outsider.ask({ url: `http://${ip}:${port}${path}` }, { from })).outcome;
    const listening = traffic.kubectl(['exec', replica.name, '--', '/usr/bin/node', '-e', LISTEN]);
    await traffic.city.until('another port of the pod answers', 60, async () => {
      return (await at(8081, replica.name)) === 200;
    });
    await traffic.city.until('the port for inference answers', 60, async () => {
      return (await at(8080, outsider.name)) === 200;
    });
    expect(BLOCKED).toContain(await at(8081, outsider.name));
    expect(await at(8081, replica.name, '/end')).toBe(200);
    await listening;
  });

  test('a pod of models reaches the operator, and nothing in the cluster that it has no business with', async () => {
    const question = async (url: string, from: string) => (await outsider.ask({ url }, { from, ca })).outcome;
    await traffic.city.until('the replica reaches the operator', 60, async () => {
      return typeof (await question(`${OPERATOR}${REPORT_PATH}`, replica.name)) === 'number';
    });
    const { leader } = await operatorState(traffic.city);
    const path = 'jsonpath={.status.podIP}';
    const ip = await traffic.city.kubectl(['-n', OPERATOR_NAMESPACE, 'get', 'pod', leader, '-o', path]);
    for (const url of ['https://kubernetes.default.svc/version', `http://${ip}:8080/metrics`]) {
      expect(BLOCKED).toContain(await question(url, replica.name));
      // A pod without a policy gets an answer there, or at least a certificate.
      await traffic.city.until('another pod gets an answer', 60, async () => {
        return !BLOCKED.includes(String(await question(url, outsider.name)));
      });
    }
  });
});
