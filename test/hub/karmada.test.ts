import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';
import * as z from 'zod';
import { type ModelService, ModelServiceSpec, ModelServiceStatus } from '../../crds/model-service.ts';
import { demandOf } from '../../operator/plan/hub/intent.ts';
import { quantityValue } from '../../operator/plan/quantity.ts';
import { repository } from '../region/cache.ts';
import { run } from '../region/command.ts';
import { goPrograms } from '../region/go-programs.ts';
import { cluster } from './cluster.ts';
import { installRegionDefinitions } from './region-hub.ts';

const file = (name: string) => readFileSync(join(repository, 'examples', 'karmada', name), 'utf8');

const script = z.strictObject({ luaScript: z.string() });
/** As config.karmada.io/v1alpha1 has it. */
const Customization = z.strictObject({
  apiVersion: z.literal('config.karmada.io/v1alpha1'),
  kind: z.literal('ResourceInterpreterCustomization'),
  metadata: z.strictObject({ name: z.string() }),
  spec: z.strictObject({
    target: z.strictObject({ apiVersion: z.string(), kind: z.string() }),
    customizations: z.strictObject({
      retention: script.optional(),
      replicaResource: script,
      replicaRevision: script,
      statusReflection: script,
      statusAggregation: script,
      healthInterpretation: script,
      dependencyInterpretation: script,
    }),
  }),
});
/** As policy.karmada.io/v1alpha1 has it, of what we use. */
const Policy = z.strictObject({
  apiVersion: z.literal('policy.karmada.io/v1alpha1'),
  kind: z.literal('PropagationPolicy'),
  metadata: z.strictObject({ name: z.string(), namespace: z.string() }),
  spec: z.strictObject({
    resourceSelectors: z.array(
      z.strictObject({ apiVersion: z.string(), kind: z.string(), name: z.string().optional() }),
    ),
    propagateDeps: z.boolean(),
    placement: z.strictObject({
      clusterAffinity: z.strictObject({
        labelSelector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
      }),
      spreadConstraints: z.array(
        z.strictObject({
          spreadByField: z.enum(['cluster', 'region', 'zone', 'provider']),
          minGroups: z.int(),
          maxGroups: z.int(),
        }),
      ),
      replicaScheduling: z.strictObject({
        replicaSchedulingType: z.enum(['Divided', 'Duplicated']),
        replicaDivisionPreference: z.enum(['Weighted', 'Aggregated']),
        weightPreference: z.strictObject({ dynamicWeight: z.literal('AvailableReplicas') }),
      }),
    }),
  }),
});

/** The scripts run in the virtual machine that Karmada uses, with what it gives them and no more. */
describe('a ModelService under Karmada', () => {
  const { spec } = Customization.parse(load(file('interpreter.yaml')));
  let folder: string;

  beforeAll(async () => {
    folder = await goPrograms('lua');
  });

  async function call(
    part: keyof (typeof spec)['customizations'],
    name: string,
    results: number,
    ...args: unknown[]
  ): Promise<unknown[]> {
    const { luaScript } = spec.customizations[part] as { luaScript: string };
    const input = JSON.stringify({ script: luaScript, function: name, results, arguments: args });
    return JSON.parse(await run(join(folder, 'lua'), [], { input }));
  }

  type Input = Parameters<typeof ModelServiceSpec.parse>[0];
  /** As Karmada's API server keeps it, defaults and all. */
  function service(more: object = {}, status?: object): ModelService {
    const input = { model: { uri: 's3://models/traffic' }, ...more } as Input;
    return {
      apiVersion: 'aicity.io/v1alpha1',
      kind: 'ModelService',
      metadata: { name: 'traffic', namespace: 'mobility', uid: 'u', generation: 4 },
      spec: ModelServiceSpec.parse(input),
      ...(status && { status }),
    } as ModelService;
  }

  test('is the kind that the scripts are for', () => {
    expect(spec.target).toEqual({ apiVersion: 'aicity.io/v1alpha1', kind: 'ModelService' });
  });

  test.each<[string, object]>([
    ['with a GPU by default', { replicas: 3 }],
    ['without one', { gpu: { count: 0 } }],
    ['with a part of one', { gpu: { count: 2, resource: 'nvidia.com/mig-1g.10gb' } }],
    ['with requests', { resources: { requests: { cpu: '2', memory: '4Gi' } } }],
    ['with limits alone', { gpu: { count: 0 }, resources: { limits: { memory: '2Gi' } } }],
    ['with both', { resources: { requests: { cpu: '1' }, limits: { cpu: 4, memory: '8Gi' } } }],
    ['scaled to zero', { replicas: 0 }],
  ])('has the replicas, and each the needs, that the operator will count: %s', async (_, more) => {
    const object = service(more);
    const [replicas, requirement] = await call('replicaResource', 'GetReplicas', 2, object);
    expect(replicas).toBe(object.spec.replicas);
    const { resourceRequest } = requirement as { resourceRequest: Record<string, string> };
    const needs = Object.entries(resourceRequest).map(([resource, amount]) => ({
      resource,
      amount: quantityValue(amount),
    }));
    expect(needs.sort((a, b) => (a.resource < b.resource ? -1 : 1))).toEqual(demandOf(object.spec));
  });

  test('goes only where its nodes are', async () => {
    const podTemplate = {
      nodeSelector: { accelerator: 'l4' },
      tolerations: [{ operator: 'Exists' as const }],
    };
    const [, requirement] = await call('replicaResource', 'GetReplicas', 2, service({ podTemplate }));
    expect(requirement).toMatchObject({ nodeClaim: podTemplate });
  });

  test('split over clusters, stays within its maximum and is accepted by each', async () => {
    const city = await cluster();
    await installRegionDefinitions(city);
    const namespace = await city.freshNamespace('karmada');
    const object = service({ replicas: 7, autoscaling: { maxReplicas: 20 } });
    const parts = await Promise.all(
      [4, 2, 1].map(
        async (desired) => (await call('replicaRevision', 'ReviseReplica', 1, object, desired))[0],
      ),
    );
    const revised = parts as ModelService[];
    expect(revised.map(({ spec: { replicas } }) => replicas)).toEqual([4, 2, 1]);
    const ceilings = revised.map(({ spec: { autoscaling } }) => autoscaling!.maxReplicas);
    expect(ceilings).toEqual([11, 5, 2]);
    expect(ceilings.reduce((sum, ceiling) => sum + ceiling, 0)).toBeLessThanOrEqual(20);
    for (const part of revised) {
      const { name } = part.metadata;
      const input = JSON.stringify({ ...part, metadata: { name, namespace } });
      const dryRun = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'];
      expect(await city.kubectl(dryRun, input)).toContain('modelservice.aicity.io/traffic');
    }
  });

  test('with nothing for a cluster loses its autoscaler there, which needs a replica', async () => {
    const object = service({ replicas: 2, autoscaling: { maxReplicas: 4 } });
    const [part] = await call('replicaRevision', 'ReviseReplica', 1, object, 0);
    expect((part as ModelService).spec).toMatchObject({ replicas: 0 });
    expect((part as ModelService).spec.autoscaling).toBeUndefined();
  });

  const ready = (status: 'True' | 'False', message: string, lastTransitionTime: string) => [
    { type: 'Scheduled', status: 'True', reason: 'AllScheduled', message: '', lastTransitionTime },
    { type: 'Ready', status, reason: 'Serving', message, lastTransitionTime, observedGeneration: 4 },
  ];

  test('has a status that sums what the clusters say', async () => {
    const inCity = (replicas: number, readyReplicas: number, busyPercent: number, conditions: object[]) =>
      service(
        { replicas },
        {
          observedGeneration: 4,
          replicas,
          readyReplicas,
          updatedReplicas: replicas,
          load: { busyPercent, requestsPerSecond: 10.5, reportingReplicas: readyReplicas },
          model: { version: '3' },
          conditions,
        },
      );
    const cities = {
      porto: inCity(4, 4, 80, ready('True', 'all serve', '2026-03-01T12:00:00Z')),
      faro: inCity(2, 1, 30, ready('False', '1 of 2 replicas waits', '2026-03-01T12:05:00Z')),
    };
    const items: object[] = [{ clusterName: 'vigo' }];
    for (const [clusterName, object] of Object.entries(cities)) {
      const [status] = await call('statusReflection', 'ReflectStatus', 1, object);
      items.push({ clusterName, status, health: 'Healthy', applied: true });
    }
    const [whole] = await call('statusAggregation', 'AggregateStatus', 1, service({ replicas: 7 }), items);
    const { status } = whole as ModelService;
    expect(status).toEqual({
      observedGeneration: 4,
      replicas: 6,
      readyReplicas: 5,
      updatedReplicas: 6,
      readyOfWanted: '5/7',
      model: { version: '3' },
      load: { busyPercent: 70, requestsPerSecond: 21, reportingReplicas: 5 },
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'Progressing',
          message: '5 of 7 replicas are ready; faro: 1 of 2 replicas waits; vigo has not said anything yet',
          observedGeneration: 4,
          lastTransitionTime: '2026-03-01T12:05:00Z',
        },
      ],
    });
    expect(ModelServiceStatus.safeParse(status)).toMatchObject({ success: true });
  });

  test('has a status before any cluster has said anything', async () => {
    const [whole] = await call('statusAggregation', 'AggregateStatus', 1, service({ replicas: 2 }), []);
    expect((whole as ModelService).status).toMatchObject({ readyReplicas: 0, readyOfWanted: '0/2' });
    const [status] = await call('statusReflection', 'ReflectStatus', 1, service({ replicas: 2 }));
    expect(status).toEqual({ wanted: 2 });
  });

  test.each<[boolean, string, object | undefined]>([
    [true, 'serves', { observedGeneration: 4, conditions: ready('True', '', '2026-03-01T12:00:00Z') }],
    [false, 'does not', { observedGeneration: 4, conditions: ready('False', '', '2026-03-01T12:00:00Z') }],
    [
      false,
      'served before the change',
      { observedGeneration: 3, conditions: ready('True', '', '2026-03-01T12:00:00Z') },
    ],
    [false, 'has no conditions', { observedGeneration: 4 }],
    [false, 'has no status', undefined],
  ])('is healthy: %s, when it %s', async (healthy, _, status) => {
    expect(await call('healthInterpretation', 'InterpretHealth', 1, service({}, status))).toEqual([healthy]);
  });

  test('brings along what it names', async () => {
    const key = { name: 'settings', key: 'zone' };
    const object = service({
      model: { uri: 's3://models/traffic', credentialsSecretRef: { name: 'model-store' } },
      podTemplate: {
        serviceAccountName: 'reader',
        env: [
          { name: 'ZONE', valueFrom: { configMapKeyRef: key } },
          { name: 'PLAIN', value: 'x' },
          { name: 'KEY', valueFrom: { secretKeyRef: { name: 'model-store', key: 'k' } } },
        ],
      },
    });
    const [found] = await call('dependencyInterpretation', 'GetDependencies', 1, object);
    const named = (found as { kind: string; name: string; namespace: string }[]).map(
      ({ kind, name, namespace }) => `${namespace}/${kind}/${name}`,
    );
    expect(named).toEqual([
      'mobility/Secret/model-store',
      'mobility/ServiceAccount/reader',
      'mobility/ConfigMap/settings',
    ]);
  });

  test('comes in an example with a policy that chooses it', async () => {
    const [object, policy] = loadAll(file('traffic.yaml')) as [ModelService, unknown];
    const { spec: wanted, metadata } = Policy.parse(policy);
    expect(wanted.resourceSelectors).toEqual([
      { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name },
    ]);
    expect(metadata.namespace).toBe(object.metadata.namespace);
    expect(object.spec.placement).toBeUndefined();
    const city = await cluster();
    await installRegionDefinitions(city);
    const namespace = await city.freshNamespace('karmada');
    const dryRun = ['create', '--dry-run=server', '--validate=strict', '-f', '-'];
    const input = JSON.stringify({ ...object, metadata: { ...object.metadata, namespace } });
    expect(await city.kubectl(dryRun, input)).toContain('modelservice.aicity.io/traffic created');
  });
});
