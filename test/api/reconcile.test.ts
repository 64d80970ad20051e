import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MANAGER } from '../../crds/labels.ts';
import type { ModelService } from '../../crds/model-service.ts';
import type { UntypedObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { cluster } from './cluster.ts';
import { TestOperator } from './operator-in.ts';

const uri = 'https://models.example/traffic';
const spec = { model: { uri }, replicas: 3, gpu: { count: 0 } };
const children = [
  resources.ConfigMap,
  resources.ServiceAccount,
  resources.NetworkPolicy,
  resources.Service,
  resources.Deployment,
  resources.PodDisruptionBudget,
  resources.HorizontalPodAutoscaler,
] as const;

let operator: TestOperator;
beforeAll(async () => {
  operator = await TestOperator.start(await cluster(), 'reconcile');
});
afterAll(() => operator?.stop());

/** All that belongs to a service, with what the operator has written of it: controllers write, too. */
async function versions(name: string): Promise<Record<string, string>> {
  const lists = await Promise.all(
    children.map(async (resource) => await operator.list(resource, `aicity.io/service=${name}`)),
  );
  return Object.fromEntries(
    lists.flatMap((list, at) =>
      list.map(({ metadata }) => [`${children[at]!.kind} ${metadata.name}`, writesOf(metadata)]),
    ),
  );
}

function writesOf({ managedFields = [] }: UntypedObject['metadata']): string {
  const writes = managedFields as readonly { manager: string; time: string }[];
  return JSON.stringify(writes.filter(({ manager }) => manager.startsWith(MANAGER)));
}

async function serving(name: string, more: object = {}): Promise<void> {
  await operator.applyService(name, { ...spec, ...more });
  await operator.untilReason(name, 'Ready', 'PodsStarting');
  await operator.until('all pods exist', async () => {
    const pods = await operator.list(resources.Pod, `aicity.io/service=${name}`);
    return pods.length === 3;
  });
  await operator.letPodsServe(name, uri);
  await operator.untilReason(name, 'Ready', 'Serving');
}

describe('a new service', () => {
  test('gets all its objects, and is ready when its replicas say so', async () => {
    await serving('traffic');
    expect(Object.keys(await versions('traffic')).sort()).toEqual([
      'ConfigMap traffic-model',
      'Deployment traffic',
      'NetworkPolicy traffic',
      'PodDisruptionBudget traffic',
      'Service traffic',
      'ServiceAccount traffic-model',
    ]);
    expect(await operator.status('traffic')).toMatchObject({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      updatedReplicas: 3,
      readyOfWanted: '3/3',
      url: `http://traffic.${operator.namespace}.svc`,
      model: { version: '3', format: 'SavedModel' },
      load: { busyPercent: 25, requestsPerSecond: 12, reportingReplicas: 3 },
    });
    await operator.until('an event tells of it', async () => {
      const reasons = ['get', 'events', '-o', 'jsonpath={.items[*].reason}'];
      return (await operator.kubectl(...reasons)).includes('Serving');
    });
  });

  test('another look writes nothing', async () => {
    const before = await versions('traffic');
    const { metadata } = await operator.get(resources.ModelService, 'traffic');
    operator.lookAtAll();
    // The look at a later service is over when its objects are there; looks are taken in order.
    await operator.applyService('later', spec);
    await operator.untilReason('later', 'Ready', 'PodsStarting');
    expect(await versions('traffic')).toEqual(before);
    expect((await operator.get(resources.ModelService, 'traffic')).metadata.resourceVersion).toBe(
      metadata.resourceVersion,
    );
    await operator.kubectl('delete', 'ms', 'later');
  });
});

describe('another operator that takes over', () => {
  test('with another certificate authority: pods stay, and nobody sees the service go down', async () => {
    const generation = async () => (await operator.get(resources.Deployment, 'traffic')).metadata.generation;
    const before = await generation();
    const readiness = new Set<string>();
    const watching = new AbortController();
    const watch = (async () => {
      const events = operator.client.watch<ModelService>(resources.ModelService, {
        namespace: operator.namespace,
        sendInitialEvents: true,
        signal: watching.signal,
      });
      for await (const event of events) {
        if (event.type === 'ERROR' || event.type === 'BOOKMARK') continue;
        if (event.object.metadata.name !== 'traffic') continue;
        for (const { type, status } of event.object.status?.conditions ?? []) {
          if (type === 'Ready' || type === 'Reconciling') readiness.add(`${type}=${status}`);
        }
      }
    })().catch((error: unknown) => {
      if (!watching.signal.aborted) throw error;
    });
    await operator.restart({ reportAuthorities: 'ANOTHER' });
    await operator.until('the pods trust it', async () => {
      return JSON.stringify(await operator.get(resources.ConfigMap, 'traffic-model')).includes('ANOTHER');
    });
    operator.lookAtAll();
    await operator.letPodsServe('traffic', uri);
    await operator.applyService('after', spec);
    await operator.untilReason('after', 'Ready', 'PodsStarting');
    watching.abort();
    await watch;
    expect(await generation()).toBe(before);
    expect((await operator.condition('traffic', 'Ready'))?.reason).toBe('Serving');
    await operator.kubectl('delete', 'ms', 'after');
    expect([...readiness]).toEqual(['Ready=True', 'Reconciling=False']);
  });

  test('of a service that nobody reports for writes nothing', async () => {
    await operator.applyService('silent', { ...spec, replicas: 1 });
    await operator.until('its pod exists', async () => {
      return (await operator.list(resources.Pod, 'aicity.io/service=silent')).length === 1;
    });
    await operator.letPodsServe('silent', uri);
    await operator.untilReason('silent', 'Ready', 'Serving');
    operator.silencePods('silent');
    await operator.until('its report is too old', async () => {
      operator.lookAtAll();
      return (await operator.condition('silent', 'Ready'))?.reason === 'ReplicasUnknown';
    });
    const version = async () =>
      (await operator.get(resources.ModelService, 'silent')).metadata.resourceVersion;
    const before = await version();
    await operator.restart();
    // Not the name of before, whose objects the garbage collector may not have removed yet.
    await operator.applyService('thereafter', spec);
    await operator.untilReason('thereafter', 'Ready', 'PodsStarting');
    expect(await version()).toBe(before);
    await operator.kubectl('delete', 'ms', 'thereafter', 'silent');
  });
});

describe('drift', () => {
  test('a field that was edited by hand is set back, and what others added stays', async () => {
    await operator.patch('deployment', 'traffic', {
      metadata: { annotations: { 'example.org/mine': 'yes' } },
      spec: {
        replicas: 1,
        template: { spec: { containers: [{ name: 'model-server', image: 'evil' }] } },
      },
    });
    await operator.until('the image is ours again', async () => {
      const { spec } = await operator.get<{ spec: Deployment }>(resources.Deployment, 'traffic');
      return spec.template.spec.containers[0]!.image === 'aicity/model-server:test' && spec.replicas === 3;
    });
    const { metadata } = await operator.get(resources.Deployment, 'traffic');
    expect(metadata.annotations).toHaveProperty(['example.org/mine'], 'yes');
  });

  test('objects that were deleted by hand come back', async () => {
    const names = ['configmap/traffic-model', 'service/traffic', 'networkpolicy/traffic', 'pdb/traffic'];
    const before = await versions('traffic');
    await operator.kubectl('delete', ...names);
    await operator.until('all are back', async () => {
      const after = await versions('traffic');
      return Object.keys(before).every((name) => name in after);
    });
  });

  test('a network policy that was widened is narrowed again', async () => {
    await operator.kubectl(
      'patch',
      'networkpolicy',
      'traffic',
      '--type=json',
      '-p',
      '[{"op": "add", "path": "/spec/egress/0/ports/-", "value": {"port": 4444, "protocol": "TCP"}}]',
    );
    await operator.until('the port is gone', async () => {
      return !JSON.stringify(await operator.get(resources.NetworkPolicy, 'traffic')).includes('4444');
    });
  });

  test('an object whose labels were stripped is found and labelled again', async () => {
    const label = 'app.kubernetes.io/managed-by';
    const before = (await operator.get(resources.Service, 'traffic')).metadata;
    expect(before.labels?.[label]).toBe(MANAGER);
    await operator.kubectl('label', 'service', 'traffic', `${label}-`);
    await operator.until('the label is back', async () => {
      return (await operator.get(resources.Service, 'traffic')).metadata.labels?.[label] === MANAGER;
    });
    expect((await operator.get(resources.Service, 'traffic')).metadata.uid).toBe(before.uid);
  });
});

describe('changes of the spec', () => {
  test('editing replicas and kubectl scale both take effect, down to zero', async () => {
    await operator.kubectl('scale', 'ms/traffic', '--replicas=1');
    await untilReplicas('traffic', 1);
    await operator.until('the budget is gone', async () => {
      return !(await operator.exists(resources.PodDisruptionBudget, 'traffic'));
    });
    await operator.patch('ms', 'traffic', { spec: { replicas: 0 } });
    await untilReplicas('traffic', 0);
    await operator.untilReason('traffic', 'Ready', 'ScaledToZero');
    await operator.until('the last pod is counted out', async () => {
      return (await operator.status('traffic'))?.replicas === 0;
    });
    expect(await operator.status('traffic')).toMatchObject({ readyOfWanted: '0/0' });
    await operator.patch('ms', 'traffic', { spec: { replicas: 3 } });
    await untilReplicas('traffic', 3);
  });

  test('a removed variable leaves the pods', async () => {
    const variables = async () =>
      (
        await operator.get<{ spec: Deployment }>(resources.Deployment, 'traffic')
      ).spec.template.spec.containers[0]!.env.map(({ name }) => name);
    await operator.applyService('traffic', { ...spec, podTemplate: { env: [{ name: 'MINE', value: '1' }] } });
    await operator.until('it is there', async () => (await variables()).includes('MINE'));
    await operator.applyService('traffic', spec);
    await operator.until('it is gone', async () => !(await variables()).includes('MINE'));
  });

  test('quantities may be numbers', async () => {
    const resourcesOf = async () => {
      const { spec } = await operator.get<{ spec: Deployment }>(resources.Deployment, 'traffic');
      return spec.template.spec.containers[0]!.resources;
    };
    await operator.applyService('traffic', {
      ...spec,
      resources: { requests: { cpu: 2 }, limits: { memory: '2048Mi' } },
    });
    await operator.until('they are there', async () => (await resourcesOf())?.requests?.['cpu'] === '2');
    expect(await resourcesOf()).toEqual({ requests: { cpu: '2' }, limits: { memory: '2Gi' } });
    await operator.applyService('traffic', spec);
    await operator.until('they are gone', async () => (await resourcesOf())?.requests?.['cpu'] === '500m');
  });

  test('with Reload a change of the pods waits, in the cluster as well as in the words of the status', async () => {
    const reload = { ...spec, rollout: { strategy: 'Reload' } };
    const names = async () =>
      (await operator.list(resources.Pod, 'aicity.io/service=held'))
        .map(({ metadata }) => metadata.name)
        .sort();
    await operator.applyService('held', reload);
    await operator.until('all pods exist', async () => (await names()).length === 3);
    // Only what the operator has seen can it hold.
    await operator.until('it knows them', async () => (await operator.status('held')).replicas === 3);
    const before = await names();
    await operator.applyService('held', { ...reload, podTemplate: { env: [{ name: 'A', value: '1' }] } });
    await operator.untilReason('held', 'RolledOut', 'RolloutHeld');
    await operator.applyService('held', {
      ...reload,
      replicas: 4,
      podTemplate: { env: [{ name: 'A', value: '1' }] },
    });
    await operator.until('a fourth pod is there', async () => (await names()).length === 4);
    expect(await names()).toEqual(expect.arrayContaining(before));
    await operator.until('the status counts it', async () => (await operator.status('held'))?.replicas === 4);
    expect(await operator.status('held')).toMatchObject({ updatedReplicas: 0 });
    await operator.applyService('held', reload);
    await operator.untilReason('held', 'RolledOut', 'UpToDate');
    expect(await operator.get(resources.Deployment, 'held')).not.toHaveProperty('spec.paused');
  });

  test('another model changes the ConfigMap and no pod', async () => {
    const template = async () =>
      (await operator.get<{ spec: Deployment }>(resources.Deployment, 'traffic')).spec.template;
    const before = await template();
    await operator.applyService('traffic', { ...spec, model: { uri: 'https://models.example/other' } });
    await operator.until('the ConfigMap names it', async () => {
      return JSON.stringify(await operator.get(resources.ConfigMap, 'traffic-model')).includes('/other');
    });
    await operator.until('status is of this generation', async () => {
      const service = await operator.get<{ status: { observedGeneration: number } }>(
        resources.ModelService,
        'traffic',
      );
      return service.status.observedGeneration === service.metadata.generation;
    });
    expect(await template()).toEqual(before);
  });

  test('what the API server refuses is told with the field, and is Stalled', async () => {
    await operator.applyService('refused', { ...spec, podTemplate: { nodeSelector: { 'no label!': 'x' } } });
    const ready = await operator.untilReason('refused', 'Ready', 'InvalidSpec');
    expect(ready.status).toBe('False');
    expect(ready.message).toMatch(/Deployment .*\/refused is refused: .*nodeSelector.*no label!/);
    expect(await operator.condition('refused', 'Stalled')).toMatchObject({
      status: 'True',
      reason: 'InvalidSpec',
    });
    expect(await operator.exists(resources.Service, 'refused')).toBe(true);
    await operator.applyService('refused', spec);
    await operator.untilReason('refused', 'Ready', 'PodsStarting');
    expect(await operator.condition('refused', 'Stalled')).toMatchObject({ status: 'False' });
  });

  test('a service account of the user takes over once no pod uses ours', async () => {
    await operator.applyService('account', { ...spec, replicas: 1 });
    await operator.until('a pod runs as ours', async () => {
      return (await operator.list(resources.Pod, 'aicity.io/service=account')).length === 1;
    });
    await operator.applyService('account', {
      ...spec,
      replicas: 1,
      podTemplate: { serviceAccountName: 'default' },
    });
    await operator.until('a pod runs as theirs', async () => {
      return (await operator.list(resources.Pod, 'aicity.io/service=account')).length === 2;
    });
    expect(await operator.exists(resources.ServiceAccount, 'account-model')).toBe(true);
    await operator.letPodsServe('account', uri);
    // Until the old ReplicaSet is scaled down it makes pods that run as ours anew.
    await operator.until('the old pod has to go', async () => {
      const pods = await operator.list(resources.Pod, 'aicity.io/service=account');
      return pods.filter(({ metadata }) => !metadata.deletionTimestamp).length === 1;
    });
    await operator.kubectl(
      'delete',
      'pods',
      '-l',
      'aicity.io/service=account',
      '--grace-period=0',
      '--force',
    );
    await operator.until(
      'ours is gone',
      async () => !(await operator.exists(resources.ServiceAccount, 'account-model')),
    );
  });
});

describe("somebody else's objects", () => {
  test('are never taken over; the condition names the object and its owner', async () => {
    const stranger: UntypedObject = {
      metadata: {
        name: 'image',
        namespace: operator.namespace,
        labels: { 'app.kubernetes.io/managed-by': 'Helm' },
      },
      spec: { ports: [{ port: 9 }] },
    };
    await operator.client.create(resources.Service, stranger);
    await operator.applyService('image', spec);
    const ready = await operator.untilReason('image', 'Ready', 'NameConflict');
    expect(ready.message).toMatch(/^Service .*\/image exists already and belongs to Helm/);
    expect(await operator.exists(resources.Deployment, 'image')).toBe(true);
    expect(await operator.get(resources.Service, 'image')).toMatchObject({ spec: { ports: [{ port: 9 }] } });
    await operator.kubectl('delete', 'service', 'image');
    await operator.patch('ms', 'image', { spec: { replicas: 2 } });
    await operator.until('ours is made', async () => 'Service image' in (await versions('image')));
  });
});

describe('deletion', () => {
  test('leaves nothing behind', async () => {
    await operator.applyService('gone', { ...spec, autoscaling: { maxReplicas: 5 } });
    await operator.until('its autoscaler is there', () =>
      operator.exists(resources.HorizontalPodAutoscaler, 'gone'),
    );
    await operator.kubectl('delete', 'ms', 'gone', '--cascade=foreground');
    await operator.until('nothing is left', async () => Object.keys(await versions('gone')).length === 0);
  });

  test('a service whose objects were orphaned takes them back', async () => {
    const deployments = async () => await operator.list(resources.Deployment, 'aicity.io/service=orphan');
    let orphan: UntypedObject | undefined;
    while (!orphan) {
      await operator.applyService('orphan', spec);
      await operator.untilReason('orphan', 'Ready', 'PodsStarting');
      await operator.kubectl('delete', 'ms', 'orphan', '--cascade=orphan');
      orphan = (await deployments()).find(({ metadata }) => !metadata.ownerReferences?.length);
      // A garbage collector that is late does not know yet what is to be orphaned, and deletes it.
      if (!orphan) await operator.until('it is gone', async () => (await deployments()).length === 0);
    }
    await operator.applyService('orphan', spec);
    await operator.until('they have the new owner', async () => {
      const { metadata } = await operator.get(resources.Deployment, 'orphan');
      const owner = await operator.get(resources.ModelService, 'orphan');
      return metadata.ownerReferences?.[0]?.uid === owner.metadata.uid;
    });
    expect((await operator.get(resources.Deployment, 'orphan')).metadata.uid).toBe(orphan.metadata.uid);
  });
});

interface Deployment {
  readonly replicas: number;
  readonly template: {
    readonly spec: {
      readonly containers: readonly {
        readonly image: string;
        readonly env: readonly { readonly name: string }[];
        readonly resources?: {
          readonly requests?: Record<string, string>;
          readonly limits?: Record<string, string>;
        };
      }[];
    };
  };
}

async function untilReplicas(name: string, replicas: number): Promise<void> {
  await operator.until(`${name} has ${replicas} replicas`, async () => {
    const { spec } = await operator.get<{ spec: Deployment }>(resources.Deployment, name);
    return spec.replicas === replicas;
  });
}
