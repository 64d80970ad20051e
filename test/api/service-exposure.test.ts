import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { cluster } from './cluster.ts';
import { TestOperator } from './operator-in.ts';

const spec = { model: { uri: 'https://models.example/traffic' }, replicas: 2, gpu: { count: 0 } };

interface Service extends KubeObject {
  readonly spec: {
    readonly type: string;
    readonly clusterIP: string;
    readonly loadBalancerClass?: string;
    readonly ports: readonly { readonly name: string; readonly nodePort?: number }[];
  };
}

let operator: TestOperator;
beforeAll(async () => {
  operator = await TestOperator.start(await cluster(), 'exposure');
  await operator.applyService('traffic', spec);
  await operator.until('its pods exist', async () => (await pods()).length === 2);
  await operator.until('its Service exists', () => operator.exists(resources.Service, 'traffic'));
});
afterAll(() => operator?.stop());

const service = async () => await operator.get<Service>(resources.Service, 'traffic');
const pods = async () =>
  (await operator.list(resources.Pod, 'aicity.io/service=traffic'))
    .map(({ metadata }) => metadata.name)
    .sort();
const nodePortOf = ({ spec: { ports } }: Service) => ports.find(({ name }) => name === 'http')?.nodePort;

async function expose(exposure: object | undefined, isThere: (live: Service) => boolean): Promise<Service> {
  await operator.applyService('traffic', { ...spec, ...(exposure ? { service: exposure } : {}) });
  await operator.until(`the Service is ${JSON.stringify(exposure)}`, async () => isThere(await service()));
  return await service();
}

describe('the type of the Service', () => {
  test('can be changed to and fro; address and pods stay', async () => {
    const before = await service();
    const podsBefore = await pods();
    expect(before.spec.type).toBe('ClusterIP');

    const chosen = await expose({ type: 'NodePort' }, ({ spec }) => spec.type === 'NodePort');
    const port = nodePortOf(chosen);
    expect(port).toBeGreaterThan(0);

    const annotations = { 'example.org/pool': 'edge' };
    const annotated = await expose({ type: 'NodePort', annotations }, ({ metadata }) => {
      return metadata.annotations?.['example.org/pool'] === 'edge';
    });
    expect(nodePortOf(annotated)).toBe(port);

    const balanced = await expose(
      { type: 'LoadBalancer', loadBalancerClass: 'example.org/none' },
      // The type goes first; the annotation with the apply that follows.
      ({ spec, metadata }) =>
        spec.type === 'LoadBalancer' && metadata.annotations?.['example.org/pool'] === undefined,
    );
    expect(balanced.spec.loadBalancerClass).toBe('example.org/none');

    const inside = await expose({ type: 'ClusterIP' }, ({ spec }) => spec.type === 'ClusterIP');
    expect(nodePortOf(inside)).toBeUndefined();
    expect(inside.spec).not.toHaveProperty('loadBalancerClass');
    expect(inside.spec.clusterIP).toBe(before.spec.clusterIP);
    expect(inside.metadata.uid).toBe(before.metadata.uid);
    expect(await pods()).toEqual(podsBefore);
    await operator.until('the status says where it is', async () => {
      return (await operator.status('traffic')).url === `http://traffic.${operator.namespace}.svc`;
    });
  });

  test('goes back when spec.service is removed', async () => {
    await expose({ type: 'NodePort' }, ({ spec }) => spec.type === 'NodePort');
    const inside = await expose(undefined, ({ spec }) => spec.type === 'ClusterIP');
    expect(nodePortOf(inside)).toBeUndefined();
  });

  test('that was edited by hand is set back', async () => {
    await expose({ type: 'NodePort' }, ({ spec }) => spec.type === 'NodePort');
    await operator.patch('service', 'traffic', { spec: { type: 'ClusterIP' } });
    await operator.until('it is a NodePort again', async () => (await service()).spec.type === 'NodePort');
  });

  test('a class cannot change under a load balancer, and the sentence says what helps', async () => {
    const balancer = (loadBalancerClass: string) => ({
      ...spec,
      service: { type: 'LoadBalancer', loadBalancerClass },
    });
    await operator.applyService('traffic', balancer('example.org/a'));
    await expect(operator.applyService('traffic', balancer('example.org/b'))).rejects.toThrow(
      /loadBalancerClass cannot change while the type is LoadBalancer; make the type ClusterIP first/,
    );
    await expose({ type: 'ClusterIP' }, ({ spec }) => spec.type === 'ClusterIP');
  });
});

describe('a port of the nodes', () => {
  test('is the one that was asked for', async () => {
    // Of those that the cluster gives by itself only when no others are left (KEP-3668).
    const nodePort = 30_000 + Math.floor(Math.random() * 80);
    const live = await expose({ type: 'NodePort', nodePort }, (live) => nodePortOf(live) === nodePort);
    expect(live.spec.type).toBe('NodePort');
  });

  test('that the cluster does not give is told with its number', async () => {
    await operator.applyService('beyond', { ...spec, service: { type: 'NodePort', nodePort: 80 } });
    const ready = await operator.untilReason('beyond', 'Ready', 'InvalidSpec');
    expect(ready.message).toMatch(/Service .*\/beyond is refused: .*nodePort.*80/);
  });
});
