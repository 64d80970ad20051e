import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { City } from '../region/city.ts';
import { nodeImage } from '../region/node-image.ts';
import { citiesAreBuiltHere } from '../region/shared-city.ts';
import { city as sharedCity } from './city.ts';

/**
 * Answers with its name; asked with ?url=, gets that and answers with what came back. Every request has a
 * connection of its own: packet filters let connections live that were there before them.
 */
const echoProgram = `
  const { createServer, get } = require('node:http');
  const getSecurely = require('node:https').get;
  createServer((request, response) => {
    const url = new URL(request.url, 'http://echo').searchParams.get('url');
    if (!url) return response.end(process.env.HOSTNAME);
    (url.startsWith('https') ? getSecurely : get)(url, { agent: false }, (answer) => answer.pipe(response))
      .on('error', (error) => response.writeHead(502).end(String(error)));
  }).listen(8080);
  process.on('SIGTERM', () => process.exit(0));
`;

const echo = (name: string, image: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
      - name: echo
        image: ${image}
        args: [-e, ${JSON.stringify(echoProgram)}]
        resources: {requests: {cpu: 10m}, limits: {nvidia.com/gpu: 2}}
        readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  type: NodePort
  selector: {app: ${name}}
  ports: [{port: 80, targetPort: 8080}]
`;

const denyAll = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny-all}
spec: {podSelector: {matchLabels: {app: east}}, policyTypes: [Ingress]}
`;

/** Faults of one program, and slow packets, need the city image that is built here. */
const testWithLocalImage = citiesAreBuiltHere() ? test : test.skip;

describe('a city', () => {
  let city: City;
  let namespace: string;
  let west: string;

  const ask = async (url: string) => await (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
  const nodePort = async (service: string) =>
    Number(
      await city.kubectl([
        'get',
        'service',
        service,
        '-n',
        namespace,
        '-o',
        'jsonpath={.spec.ports[0].nodePort}',
      ]),
    );

  beforeAll(async () => {
    city = await sharedCity();
    namespace = await city.freshNamespace('city');
    const image = await nodeImage();
    await city.kubectl(
      ['apply', '-n', namespace, '-f', '-'],
      [echo('west', image), echo('east', image)].join('---'),
    );
    await city.kubectl([
      'rollout',
      'status',
      '-n',
      namespace,
      'deployment/west',
      'deployment/east',
      '--timeout=120s',
    ]);
    west = await city.url(await nodePort('west'));
    await city.until('west answers', 60, async () => (await ask(west)).startsWith('west-'));
  });
  /** Other tests need the GPUs. */
  afterAll(async () => {
    if (namespace) await city.kubectl(['delete', 'namespace', namespace, '--timeout=180s']);
  });

  const gpusOfNode = async (list: 'allocatable' | 'capacity') => {
    const path = String.raw`jsonpath={.status.${list}.nvidia\.com/gpu}`;
    return await city.kubectl(['get', 'node', city.name, '-o', path]);
  };

  test('runs pods that this machine reaches by NodePort', async () => {
    expect(await ask(west)).toMatch(/^west-/);
  });

  test('gives services names that its pods resolve', async () => {
    const east = `${west}/?url=http://east.${namespace}.svc.cluster.local/`;
    await city.until('east answers by name', 60, async () => (await ask(east)).startsWith('east-'));
  });

  test('lets its pods reach this machine and their own API server', async () => {
    const itself = `${west}/?url=${encodeURIComponent(`${west}/`)}`;
    await city.until('a pod reaches this machine', 60, async () => (await ask(itself)).startsWith('west-'));
    // Reached, and not trusted without the cluster's authority.
    await city.until('a pod reaches the API server', 60, async () => {
      return /certificate/.test(await ask(`${west}/?url=https://kubernetes.default/`));
    });
  });

  test('advertises GPUs that the scheduler counts', async () => {
    await city.until('8 GPUs are offered', 60, async () => (await gpusOfNode('allocatable')) === '8');
    await city.kubectl(['scale', 'deployment/east', '-n', namespace, '--replicas=4']); // 2 + 4 × 2 of 8
    await city.until('one pod waits for GPUs', 60, async () => {
      const events = await city.kubectl([
        'get',
        'events',
        '-n',
        namespace,
        '-o',
        'jsonpath={.items[*].message}',
      ]);
      return events.includes('Insufficient nvidia.com/gpu');
    });
    await city.advertiseGpus(10);
    await city.kubectl(['rollout', 'status', '-n', namespace, 'deployment/east', '--timeout=180s']);
    await city.advertiseGpus(8);
    await city.kubectl(['scale', 'deployment/east', '-n', namespace, '--replicas=1']);
    await city.until('the other pods are gone', 120, async () => {
      // The kubelet may hear of new GPUs after the scheduler; what it has turned away meanwhile stays as it is.
      const pods = ['get', 'pods', '-n', namespace, '--field-selector=status.phase!=Failed', '-o', 'name'];
      return (await city.kubectl(pods)).split('\n').length === 2;
    });
  });

  test('measures what pods use', async () => {
    await city.until('metrics of a pod are there', 180, async () =>
      (await city.kubectl(['top', 'pod', '-n', namespace, '-l', 'app=west', '--no-headers'])).startsWith(
        'west-',
      ),
    );
  });

  test('enforces network policies', async () => {
    const east = `${west}/?url=http://east/`;
    await city.kubectl(['apply', '-n', namespace, '-f', '-'], denyAll);
    await city.until('east is cut off', 60, async () => !(await ask(east)).startsWith('east-'));
    await city.kubectl(['delete', 'networkpolicy', 'deny-all', '-n', namespace]);
    await city.until('east answers again', 60, async () => (await ask(east)).startsWith('east-'));
  });

  test('freezes and thaws', async () => {
    await city.faults.pause();
    await expect(fetch(west, { signal: AbortSignal.timeout(1_000) })).rejects.toThrow();
    await city.faults.unpause();
    await city.until('west answers', 60, async () => (await ask(west)).startsWith('west-'));
    await city.untilUp(120);
  });

  testWithLocalImage('survives the death of its API server, and pods do not notice', async () => {
    const pods = [
      'get',
      'pods',
      '-n',
      namespace,
      '-o',
      'jsonpath={.items[*].status.containerStatuses[*].containerID}',
    ];
    const before = await city.kubectl(pods);
    const killed = await city.faults.processOf('kube-apiserver');
    await city.faults.signal('kube-apiserver', 'SIGKILL');
    expect(await ask(west)).toMatch(/^west-/);
    await city.faults.untilStartedAgain('kube-apiserver', killed);
    await city.untilUp(120);
    expect(await city.kubectl(pods)).toBe(before);
  });

  testWithLocalImage('delays packets, and stops doing so', async () => {
    await city.faults.impair({ delayMilliseconds: 300 });
    const startedAt = Date.now();
    expect(await ask(west)).toMatch(/^west-/);
    const impaired = Date.now() - startedAt;
    await city.faults.clearImpairment();
    expect(impaired).toBeGreaterThanOrEqual(300);
  });

  test('comes back after a power cut with its data, its pods and its address', async () => {
    const before = await city.readKubeconfig();
    await city.faults.kill();
    await city.faults.restart();
    expect(await city.readKubeconfig()).toBe(before);
    const again = await city.url(await nodePort('west'));
    await city.until('west answers', 60, async () => (await ask(again)).startsWith('west-'));
    await city.until('8 GPUs are there again', 60, async () => (await gpusOfNode('capacity')) === '8');
  });
});
