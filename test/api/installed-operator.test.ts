import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { City } from '../region/city.ts';
import { docker } from '../region/docker.ts';
import { cluster } from './cluster.ts';
import { addressOf, InstalledOperator } from './installed.ts';

/**
 * The operator's own image beside a real API server, with the identity and the rights that the chart gives it and
 * nothing else: what a call needs and the list of permissions lacks ends as "forbidden" in its log.
 */
describe('the operator, as installed', () => {
  let city: City;
  let namespace: string;
  let operator: InstalledOperator;

  beforeAll(async () => {
    city = await cluster();
    namespace = await city.freshNamespace('operator');
    operator = await InstalledOperator.start(city, namespace);
  });
  afterAll(async () => await operator?.remove());

  test('runs without root, on a file system that it cannot write to, without a shell', async () => {
    const { Config, HostConfig } = JSON.parse(await docker(['container', 'inspect', operator.container]))[0];
    expect(Config.User).toBe('65532:65532');
    expect(HostConfig.ReadonlyRootfs).toBe(true);
    await expect(docker(['exec', operator.container, '/bin/sh', '-c', 'true'])).rejects.toThrow('/bin/sh');
  });

  test('makes its certificates and leads its Service to itself', async () => {
    await city.until('the certificates are there', 60, async () => exists('secret/aicity-operator-tls'));
    await city.until('the Service leads to it', 60, async () => {
      const address = 'jsonpath={.endpoints[0].addresses[0]}';
      const slice = ['get', 'endpointslice', 'aicity-operator-leader', '-n', namespace, '-o', address];
      return (await city.kubectl(slice)) === (await addressOf(operator.container));
    });
  });

  test('makes what a ModelService consists of, tells its status, and repairs what is deleted', async () => {
    await city.kubectl(['apply', '-n', namespace, '-f', '-'], modelService());
    const children = ['deployment/flow', 'service/flow', 'poddisruptionbudget/flow', 'networkpolicy/flow'];
    children.push('horizontalpodautoscaler/flow', 'serviceaccount/flow-model', 'configmap/flow-model');
    for (const child of children) await city.until(`${child} is there`, 60, () => exists(child));
    await city.kubectl(['wait', '--for=condition=Reconciling', 'ms/flow', '-n', namespace, '--timeout=60s']);
    await city.kubectl(['delete', 'networkpolicy', 'flow', '-n', namespace]);
    await city.until('the NetworkPolicy is there again', 60, () => exists('networkpolicy/flow'));
  });

  test('removes what a changed ModelService no longer needs', async () => {
    const changed = modelService().replace(/ {2}autoscaling:.*$/s, '');
    await city.kubectl(['apply', '-n', namespace, '-f', '-'], changed);
    await city.until(
      'the autoscaler is gone',
      60,
      async () => !(await exists('horizontalpodautoscaler/flow')),
    );
  });

  test('serves custom.metrics.k8s.io through the API server', async () => {
    for (const version of ['v1beta1', 'v1beta2']) {
      const service = `apiservice/${version}.custom.metrics.k8s.io`;
      // It is registered by a loop of its own, and calls are passed on a moment after it is available.
      await city.until(`${service} is there`, 60, () => exists(service));
      await city.kubectl(['wait', '--for=condition=Available', service, '--timeout=120s']);
      await city.until(`${version} offers the load`, 60, async () => {
        const path = `/apis/custom.metrics.k8s.io/${version}`;
        const { resources } = JSON.parse(await city.kubectl(['get', '--raw', path]));
        return resources.some(({ name }: { name: string }) => name === 'pods/aicity_load');
      });
    }
  });

  test('lets the autoscaler read metrics, and nobody whom no role allows it', async () => {
    const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/pods/*/aicity_load`;
    const as = (user: string) => city.kubectl(['get', '--raw', path, `--as=${user}`]);
    // Calls are refused for a while when a busy operator was late with an answer.
    await city.until('the autoscaler may', 60, async () => {
      const answer = await as('system:serviceaccount:kube-system:horizontal-pod-autoscaler');
      return JSON.parse(answer).kind === 'MetricValueList';
    });
    await expect(as('somebody')).rejects.toThrow(/forbidden/i);
  });

  test('needs no right that it was not given', async () => {
    expect(await operator.refusals()).toEqual([]);
  });

  test('stops in good order and hands its lease back', async () => {
    const exitCode = await operator.end();
    expect({ exitCode, log: (await operator.log()).includes('"msg":"stopped"') }).toEqual({
      exitCode: 0,
      log: true,
    });
  });

  test('takes its part of the API with it when it is uninstalled', async () => {
    await operator.uninstall();
    await city.until('the APIServices and the EndpointSlice are gone', 120, async () => {
      const left = await city.kubectl(['get', 'apiservices,endpointslices', '-n', namespace, '-o', 'name']);
      return !/custom\.metrics|aicity-operator/.test(left);
    });
    expect(await exists('deployment/flow')).toBe(true);
  });

  async function exists(object: string): Promise<boolean> {
    return (await city.kubectl(['get', object, '-n', namespace, '--ignore-not-found', '-o', 'name'])) !== '';
  }
});

function modelService(): string {
  return `
apiVersion: aicity.io/v1alpha1
kind: ModelService
metadata:
  name: flow
spec:
  model:
    uri: https://models.example.org/flow/3
  replicas: 2
  gpu:
    count: 0
  autoscaling:
    maxReplicas: 4
    metrics:
      - type: Load
        targetPercent: 60
`;
}
