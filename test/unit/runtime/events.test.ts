import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubeClient, RawRequest } from '../../../operator/kube/client.ts';
import { KubeError } from '../../../operator/kube/errors.ts';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { cutBytes, type EventNote, KubeEventRecorder } from '../../../operator/runtime/events.ts';
import { FakeClock } from './fake-clock.ts';
import { logLines } from './log-lines.ts';

const service: KubeObject = {
  apiVersion: 'aicity.io/v1alpha1',
  kind: 'ModelService',
  metadata: { name: 'traffic', namespace: 'city', uid: 'u1', resourceVersion: '7' },
};
const note = (text = '2 of 3 replicas answer'): EventNote => ({
  type: 'Warning',
  reason: 'ReplicasMissing',
  action: 'Reconcile',
  note: text,
});

function recorder(fail = false) {
  const created: Record<string, unknown>[] = [];
  const patched: RawRequest[] = [];
  const answer = async () => {
    if (fail) throw new KubeError({ kind: 'retry', status: 0, reason: 'Network', message: 'gone' });
  };
  const client: Partial<Record<keyof KubeClient, unknown>> = {
    create: (_: unknown, object: Record<string, unknown>) => {
      created.push(object);
      return answer();
    },
    request: (request: RawRequest) => {
      patched.push(request);
      return answer();
    },
  };
  const clock = new FakeClock();
  const { log, lines } = logLines();
  const events = new KubeEventRecorder({
    client: client as unknown as KubeClient,
    clock,
    log,
    reportingController: 'aicity.io/operator',
    reportingInstance: 'operator-0',
  });
  return { events, clock, created, patched, lines };
}

test('an event says about what, by whom, when and what was done', async () => {
  const { events, created } = recorder();
  events.record(service, note());
  await events.flush();
  expect(created).toEqual([
    {
      metadata: { namespace: 'city', name: expect.stringMatching(/^traffic\.[0-9a-f]+$/) },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'aicity.io/operator',
      reportingInstance: 'operator-0',
      type: 'Warning',
      reason: 'ReplicasMissing',
      action: 'Reconcile',
      note: '2 of 3 replicas answer',
      regarding: {
        apiVersion: 'aicity.io/v1alpha1',
        kind: 'ModelService',
        namespace: 'city',
        name: 'traffic',
        uid: 'u1',
        resourceVersion: '7',
      },
    },
  ]);
});

test('events about cluster-scoped objects live in the default namespace', async () => {
  const { events, created } = recorder();
  events.record({ kind: 'Node', metadata: { name: 'n1' } }, note());
  await events.flush();
  expect(created).toMatchObject([{ metadata: { namespace: 'default' } }]);
});

test('the name of an event stays a name, however the object is called', async () => {
  const { events, created } = recorder();
  const name = `${'a'.repeat(199)}-${'b'.repeat(50)}`;
  events.record({ kind: 'Node', metadata: { name } }, note());
  await events.flush();
  const { name: eventName } = created[0]!['metadata'] as { name: string };
  expect(eventName).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  expect(eventName.length).toBeLessThan(253);
});

describe('the same thing again', () => {
  test('is counted in the first event, and the count is written once a minute', async () => {
    const { events, clock, created, patched } = recorder();
    for (let time = 0; time < 100; time += 1) {
      events.record(service, note());
      await clock.advance(1);
    }
    await clock.advance(60);
    expect(created).toHaveLength(1);
    expect(patched.map(({ body }) => (body as { series: { count: number } }).series.count)).toEqual([
      61, 100,
    ]);
    expect(patched[0]).toMatchObject({
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      path: expect.stringMatching(/^\/apis\/events\.k8s\.io\/v1\/namespaces\/city\/events\/traffic\./),
      body: { series: { lastObservedTime: '2026-01-01T00:01:00.000000Z' } },
    });
  });

  test('is a new event after six quiet minutes, or when anything of it differs', async () => {
    const { events, clock, created } = recorder();
    events.record(service, note());
    await clock.advance(359);
    events.record(service, note());
    await clock.advance(361);
    events.record(service, note());
    events.record(service, note('3 of 3 replicas answer'));
    events.record({ ...service, metadata: { ...service.metadata, uid: 'u2' } }, note());
    await events.flush();
    expect(created).toHaveLength(4);
    expect(new Set(created.map(({ metadata }) => (metadata as { name: string }).name)).size).toBe(4);
  });

  test('flushing writes the counts that wait', async () => {
    const { events, clock, patched } = recorder();
    events.record(service, note());
    events.record(service, note());
    await events.flush();
    expect(patched).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});

test('one object cannot flood the server, and does not use up what others may write', async () => {
  const { events, clock, created } = recorder();
  for (let time = 0; time < 200; time += 1) events.record(service, note(`attempt ${time}`));
  await events.flush();
  expect(created).toHaveLength(25);
  events.record({ ...service, metadata: { ...service.metadata, name: 'speech' } }, note());
  await events.flush();
  expect(created).toHaveLength(26);
  await clock.advance(601);
  for (let time = 0; time < 10; time += 1) events.record(service, note(`later ${time}`));
  await events.flush();
  expect(created).toHaveLength(28);
});

test('no more than four are written at a time, and none is lost', async () => {
  let underWay = 0;
  let most = 0;
  const names: string[] = [];
  const create = async (_: unknown, { metadata }: KubeObject): Promise<void> => {
    most = Math.max(most, ++underWay);
    await new Promise(setImmediate);
    names.push(metadata.name);
    underWay--;
  };
  const { log } = logLines();
  const events = new KubeEventRecorder({
    client: { create } as unknown as KubeClient,
    clock: new FakeClock(),
    log,
    reportingController: 'aicity.io/operator',
    reportingInstance: 'operator-0',
  });
  for (let time = 0; time < 20; time += 1) events.record(service, note(`attempt ${time}`));
  await events.flush();
  expect(most).toBe(4);
  expect(new Set(names).size).toBe(20);
});

test('an event that cannot be written is logged and forgotten', async () => {
  const { events, lines } = recorder(true);
  events.record(service, note());
  await events.flush();
  expect(lines).toMatchObject([{ msg: 'event cannot be written', err: { message: 'gone' } }]);
});

test('a note is cut to fit in bytes, never inside a character', () => {
  // What stands for a character that was cut is no part of the text itself.
  const anyText = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\uFFFD'));
  fc.assert(
    fc.property(anyText, fc.integer({ min: 3, max: 40 }), (text, maxBytes) => {
      const cut = cutBytes(text, maxBytes);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(maxBytes);
      expect(cut).not.toContain('\uFFFD');
      if (Buffer.byteLength(text) <= maxBytes) expect(cut).toBe(text);
      else expect(text.startsWith(cut.slice(0, -1))).toBe(true);
    }),
  );
});
