import { expect, test } from '@jest/globals';
import type { ModelService } from '../../../crds/model-service.ts';
import { REGION_ANNOTATIONS, REGION_LABELS } from '../../../crds/region.ts';
import { resources } from '../../../operator/kube/resources.ts';
import { mirrored } from '../../../operator/plan/agent/mirror.ts';
import type { Grant } from '../../../operator/plan/failover/claim.ts';
import { Holdings } from '../../../operator/reconcile/agent/holdings.ts';
import { shareReconcile } from '../../../operator/reconcile/agent/share-reconcile.ts';
import { type Key, keyString } from '../../../operator/runtime/key.ts';
import { Store } from '../../../operator/runtime/store.ts';
import { serviceWith } from '../plan/builders.ts';
import { logLines } from '../runtime/log-lines.ts';
import { failure, RecordingClient } from './recording-client.ts';

const { metadata, spec } = serviceWith({});
const key: Key = { cluster: '', namespace: metadata.namespace, name: metadata.name };
const id = keyString(key);
const grant: Grant = { epoch: 7, session: 'now', floor: 2, ceiling: 2 };
const share: ModelService = {
  ...serviceWith({}),
  metadata: { ...metadata, annotations: { [REGION_ANNOTATIONS.grant]: JSON.stringify(grant) } },
};

/** An agent that is offered the share, with what its copy of the city's ModelServices shows. */
function agentWith(...copy: ModelService[]) {
  const recording = new RecordingClient();
  const modelServices = new Store<ModelService>();
  modelServices.replace(copy);
  const holdings = new Holdings(() => {});
  const look = shareReconcile({
    ...{ client: recording.client, modelServices, holdings, namespace: 'aicity-system' },
    ...{ shares: { of: () => share }, session: () => 'now', leads: () => true, onVerdict() {} },
    clock: { monotonicSeconds: () => 0 },
    log: logLines().log,
  });
  return { recording, holdings, look: () => look(key, new AbortController().signal) };
}

const live: ModelService = {
  ...share,
  metadata: { ...metadata, uid: 'of the city', labels: {} },
  spec: { ...spec, replicas: 1 },
};

test('what the city does not have is created with the bounds of the grant', async () => {
  const { recording, holdings, look } = agentWith();
  await look();
  expect(recording.calls).toMatchObject([
    { what: `create ModelService ${key.name}`, object: mirrored(share, id, grant, undefined) },
  ]);
  expect(holdings.get(id)?.grant).toEqual(grant);
});

test('what somebody made a moment ago, and the copy does not show yet, is not touched', async () => {
  const { recording, holdings, look } = agentWith();
  recording.existing.set(`ModelService ${key.name}`, live);
  await expect(look()).rejects.toMatchObject({ kind: 'conflict' });
  expect(recording.asked).toEqual([`create ModelService ${key.name}`]);
  expect(holdings.get(id)).toBeUndefined();
});

test("a service of the city's own is left alone once the copy shows it", async () => {
  const { recording, holdings, look } = agentWith(live);
  await look();
  expect(recording.asked).toEqual([]);
  expect(holdings.get(id)?.trouble?.reason).toBe('NameConflict');
});

test('what comes from the hub is applied under the identity that the copy shows', async () => {
  const ours = { ...live, metadata: { ...live.metadata, labels: { [REGION_LABELS.fromHub]: 'true' } } };
  const { recording, look } = agentWith(ours);
  await look();
  expect(recording.calls[0]).toMatchObject({
    what: `apply ModelService ${key.name} as aicity-agent`,
    object: { metadata: { uid: 'of the city' }, spec: { replicas: 2 } },
    options: { force: true },
  });
});

test('a namespace that is missing is made before the next look', async () => {
  const { recording, look } = agentWith();
  recording.failures.set(`create ModelService ${key.name}`, failure('notFound'));
  expect(await look()).toMatchObject({ afterSeconds: 0 });
  expect(recording.asked).toEqual([
    `create ModelService ${key.name}`,
    `create ${resources.Namespace.kind} ${key.namespace}`,
  ]);
});
