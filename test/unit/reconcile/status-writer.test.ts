import { expect, test } from '@jest/globals';
import type { ModelServiceStatus } from '../../../crds/model-service.ts';
import { StatusWriter } from '../../../operator/reconcile/status-writer.ts';
import { serviceWith, servingWorld, statusOf } from '../plan/builders.ts';
import { FakeClock } from '../runtime/fake-clock.ts';
import { failure, RecordingClient } from './recording-client.ts';

const service = serviceWith();
const { status } = statusOf(service, servingWorld(service));
const busier: ModelServiceStatus = { ...status, load: { ...status.load, busyPercent: 90 } };
const signal = new AbortController().signal;

function writer() {
  const recording = new RecordingClient();
  const clock = new FakeClock();
  const notes: string[] = [];
  const events = {
    record: (_: object, { reason }: { reason: string }) => void notes.push(reason),
    flush: async () => {},
  };
  return { writer: new StatusWriter({ client: recording.client, clock, events }), recording, clock, notes };
}

test('writes what differs, then tells it', async () => {
  const { writer: it, recording, notes } = writer();
  expect(await it.write(service, status, signal)).toBeUndefined();
  expect(recording.asked).toEqual(['status ModelService traffic']);
  expect(recording.calls[0]?.object).toMatchObject({
    metadata: { uid: 'service-uid' },
    status: { readyReplicas: 3 },
  });
  expect(notes).toEqual(['Serving']);
});

test('writes nothing when nothing differs', async () => {
  const { writer: it, recording, notes } = writer();
  await it.write({ ...service, status }, structuredClone(status), signal);
  expect([recording.asked, notes]).toEqual([[], []]);
});

test('a load alone waits until the last write is a few seconds ago', async () => {
  const { writer: it, recording, clock } = writer();
  await it.write(service, status, signal);
  await clock.advance(2);
  expect(await it.write({ ...service, status }, busier, signal)).toMatchObject({ afterSeconds: 3 });
  expect(recording.asked).toHaveLength(1);
  await clock.advance(3);
  expect(await it.write({ ...service, status }, busier, signal)).toBeUndefined();
  expect(recording.asked).toHaveLength(2);
});

test('anything else does not wait', async () => {
  const { writer: it, recording } = writer();
  await it.write(service, status, signal);
  await it.write({ ...service, status }, { ...busier, readyReplicas: 2 }, signal);
  expect(recording.asked).toHaveLength(2);
});

test.each(['notFound', 'conflict'] as const)(
  'a service that is gone (%s) is nobody to tell',
  async (kind) => {
    const { writer: it, recording, notes } = writer();
    recording.failures.set('status ModelService traffic', failure(kind));
    await it.write(service, status, signal);
    expect(notes).toEqual([]);
  },
);

test('a failure is the caller’s, and no event is told', async () => {
  const { writer: it, recording, notes } = writer();
  recording.failures.set('status ModelService traffic', failure('retry'));
  await expect(it.write(service, status, signal)).rejects.toMatchObject({ kind: 'retry' });
  expect(notes).toEqual([]);
});
