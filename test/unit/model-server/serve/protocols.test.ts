import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { Signature } from '../../../../model-server/protocol/tensor.ts';
import { homePage } from '../../../../model-server/serve/home.ts';
import type { ModelEntry } from '../../../../model-server/serve/host-words.ts';
import type { HostedModel } from '../../../../model-server/serve/hosted-model.ts';
import { JsonThreads } from '../../../../model-server/serve/json-threads.ts';
import { stuckRun } from '../../../../model-server/serve/model-server.ts';
import { findVersion } from '../../../../model-server/serve/named-model.ts';
import { type ProtocolsOptions, protocolsOf } from '../../../../model-server/serve/protocols.ts';
import { routeOf } from '../../../../model-server/serve/routes.ts';
import { Statistics } from '../../../../model-server/serve/statistics.ts';
import { TestClock } from '../clock.ts';

const signature: Signature = {
  name: 'serving_default',
  methodName: 'tensorflow/serving/predict',
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [-1, 2], tensorName: 'x:0' },
    { name: "it's", datatype: 'BYTES', shape: [-1], tensorName: 'y:0' },
  ],
  outputs: [{ name: 'z', datatype: 'FP32', shape: [-1, 1], tensorName: 'z:0' }],
};
const model = {
  ...{ name: 'traffic', id: 'm#1', version: 7, format: 'SavedModel', digest: 'sha256:0', revision: 'a' },
  loaded: { signatures: new Map([['serving_default', signature]]) },
} as unknown as HostedModel;

const ready: ModelEntry = { name: 'traffic', version: '7', state: 'READY', reason: '' };

/** One model, which is as the entry says. */
function oneModel(entry: ModelEntry): ProtocolsOptions['models'] {
  const served = entry.state === 'READY' || entry.state === 'UNLOADING' ? [model] : [];
  return {
    ...{ names: ['traffic'], isReady: entry.state === 'READY', isDraining: entry.state === 'UNLOADING' },
    started: AbortSignal.abort(),
    whyNotReady: () => entry.reason,
    entries: () => [entry],
    load: async () => {},
    unload: async () => {},
    find: (name, which = {}) => findVersion(name, served, which.version, () => entry.reason),
  };
}

function answer(path: string, more: { entry?: ModelEntry; illness?: string } = {}) {
  const { illness, entry = ready } = more;
  const protocols = protocolsOf({
    ...{ serverVersion: '1.2.3', illness: () => illness },
    models: oneModel(entry),
    statistics: new Statistics(),
    clock: new TestClock(),
    jsonThreads: new JsonThreads(1),
    metrics: async () => ({ contentType: 'text/plain', text: 'metrics' }),
  });
  const route = routeOf('GET', path);
  if (route.kind === 'Model' && (route.action === 'V1Predict' || route.action === 'V2Infer'))
    throw new Error(path);
  return Promise.resolve(protocols.answerOf(route as never, { headers: {} } as IncomingMessage)).then(
    ({ status, body }) => [status, path === '/metrics' ? body : JSON.parse(String(body))],
  );
}

const failure = async (path: string, more = {}) =>
  Promise.resolve()
    .then(() => answer(path, more))
    .then(
      () => undefined,
      ({ status, message }) => [status, message],
    );

test.each<[string, number, object]>([
  ['/v2/health/live', 200, { live: true }],
  ['/v2/health/ready', 200, { ready: true }],
  [
    '/v2',
    200,
    {
      name: 'aicity-model-server',
      version: '1.2.3',
      extensions: ['binary_tensor_data', 'model_repository', 'statistics'],
    },
  ],
  ['/v2/models', 200, { models: ['traffic'] }],
  ['/v2/models/traffic/ready', 200, { name: 'traffic', ready: true }],
  [
    '/v2/models/traffic/versions/7',
    200,
    { name: 'traffic', versions: ['7'], platform: 'tensorflow_savedmodel' },
  ],
  ['/v1/models/traffic', 200, { ready: true, model_version_status: [{ version: '7', state: 'AVAILABLE' }] }],
  ['/v1/models/traffic/versions/7/metadata', 200, { model_spec: { name: 'traffic', version: '7' } }],
])('%s', async (path, status, body) => {
  expect(await answer(path)).toEqual([status, expect.objectContaining({})]);
  expect((await answer(path))[1]).toMatchObject(body);
});

test('metrics', async () => expect(await answer('/metrics')).toEqual([200, 'metrics']));

describe('while nothing is served', () => {
  const why = 'it is being loaded (fetching)';
  const loading = { entry: { name: 'traffic', state: 'LOADING', reason: why } as const };

  test('the process lives, is not ready, and says why', async () => {
    expect(await answer('/v2/health/live', loading)).toEqual([200, { live: true }]);
    expect(await answer('/v2/health/ready', loading)).toEqual([
      503,
      { ready: false, error: 'it is being loaded (fetching)' },
    ]);
    expect((await answer('/v1/models/traffic', loading))[1]).toMatchObject({
      ready: false,
      model_version_status: [
        { state: 'LOADING', status: { error_message: 'it is being loaded (fetching)' } },
      ],
    });
    expect(await failure('/v2/models/traffic', loading)).toEqual([
      503,
      'Model with name traffic is not ready: it is being loaded (fetching)',
    ]);
    expect((await answer('/', loading))[1]).toMatchObject({
      models: [{ name: 'traffic', state: 'LOADING', why }],
    });
  });
});

test('while draining the model is served, and not ready', async () => {
  const draining = { entry: { ...ready, state: 'UNLOADING', reason: 'the server is draining' } as const };
  expect(await answer('/v2/models/traffic/ready', draining)).toEqual([
    503,
    { name: 'traffic', ready: false, error: 'the server is draining' },
  ]);
  expect((await answer('/v1/models/traffic', draining))[1]).toMatchObject({
    model_version_status: [{ state: 'UNLOADING' }],
  });
});

test('an illness ends liveness', async () => {
  expect(await answer('/v2/health/live', { illness: 'stuck' })).toEqual([
    503,
    { live: false, error: 'stuck' },
  ]);
});

test.each([
  [299, 1, false],
  [301, 1, true],
  [599, 60, false],
  [601, 60, true],
])('a run of %d s with a time limit of %d s: stuck %j', (runSeconds, timeout, stuck) => {
  expect(stuckRun(runSeconds, timeout) !== undefined).toBe(stuck);
});

test.each([['/v2/models/traffic/versions/8', 404, /Specific\(traffic, 8\); version 7 is served/]])(
  '%s',
  async (path, status, message) => {
    expect(await failure(path)).toEqual([status, expect.stringMatching(message)]);
  },
);

describe('the request to copy', () => {
  const tried = (address?: string) =>
    (homePage(oneModel(ready), address) as { models: { signatures: { try: string }[] }[] }).models[0]
      ?.signatures[0]?.try;

  test('is safe in a shell, and has zeros where they belong', () => {
    expect(tried('city:80')).toBe(
      `curl http://city:80/v1/models/traffic:predict -d '{"signature_name":"serving_default","instances":[{"x":[0,0],"it'\\''s":""}]}'`,
    );
  });

  test('does not repeat an address that is none', () => {
    expect(tried("x'; rm -rf /")).toMatch(/^curl http:\/\/localhost\//);
  });
});
