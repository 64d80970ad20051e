import { describe, expect, test } from '@jest/globals';
import { POD_ENV, POD_PATHS } from '../../../crds/pod-contract.ts';
import { type Config, ConfigError, HELP, readConfig } from '../../../model-server/config.ts';

const alone = (args: string[], variables: Record<string, string> = {}, memoryBytes = 0) =>
  readConfig(args, { variables, memoryBytes }) as Config;

const podVariables = {
  [POD_ENV.service]: 'traffic',
  [POD_ENV.reportUrl]: 'https://aicity-operator.aicity.svc/v1/reports',
  [POD_ENV.podName]: 'traffic-0',
  [POD_ENV.podNamespace]: 'city',
  [POD_ENV.podUid]: 'uid',
};

test('a model alone', () => {
  const config = alone([
    '--model',
    'traffic=/models/traffic',
    '--max-batch-size',
    '8',
    '--model-version',
    '3',
  ]);
  expect(config).toMatchObject({
    name: 'traffic',
    port: 8080,
    drainLagSeconds: 0,
    assignment: {
      revision: expect.stringMatching(/^[0-9a-f]{10}$/),
      model: { uri: 'file:///models/traffic', version: 3 },
      serving: { maxBatchSize: 8, queueCapacity: 256, warmUpRequests: 1 },
    },
  });
  expect(config.operator).toBeUndefined();
  expect(config.host).toBeUndefined();
});

test('an address is taken as it is, a path as a place here', () => {
  expect(alone(['--model', 'm=https://models/a=b/m.tar.gz']).assignment?.model.uri).toBe(
    'https://models/a=b/m.tar.gz',
  );
  expect(alone(['--model', 'm=here']).assignment?.model.uri).toBe(`file://${process.cwd()}/here`);
});

test('in a pod', () => {
  expect(alone([], podVariables)).toMatchObject({
    name: 'traffic',
    port: 8080,
    cacheDirectory: POD_PATHS.cacheDirectory,
    assignmentFile: POD_PATHS.assignmentFile,
    drainLagSeconds: 5,
    drainLimitSeconds: 60,
    operator: {
      url: 'https://aicity-operator.aicity.svc/v1/reports',
      caFile: POD_PATHS.caFile,
      tokenFile: POD_PATHS.tokenFile,
      pod: { namespace: 'city', name: 'traffic-0', uid: 'uid' },
    },
  });
});

test.each([
  [0, 256 << 20],
  [16 * 2 ** 30, 256 << 20],
  [1 << 30, 128 << 20],
  [1 << 28, 64 << 20],
])('with %d bytes of memory it holds %d bytes of requests', (memoryBytes, held) => {
  expect(alone(['--model', 'm=x'], {}, memoryBytes).maxHeldBytes).toBe(held);
});

test('limits from variables, an empty one being none', () => {
  const variables = {
    MODEL_SERVER_MAX_BODY_BYTES: '1000',
    MODEL_SERVER_DRAIN_LAG_SECONDS: '',
    MODEL_SERVER_LOG_LEVEL: 'debug',
  };
  expect(alone(['--model', 'm=x'], variables)).toMatchObject({
    maxBodyBytes: 1000,
    drainLagSeconds: 0,
    logLevel: 'debug',
  });
});

describe('what is wrong is said in a sentence', () => {
  test.each<[string[], Record<string, string>, RegExp]>([
    [[], {}, /--model NAME=PATH_OR_ADDRESS is missing/],
    [['--model', 'a/b=x'], {}, /--model is "a\/b=x"; expected NAME=PATH_OR_ADDRESS/],
    [['--model', 'm=ftp://bucket/m'], {}, /--model is "ftp:\/\/bucket\/m": expected https/],
    [['--model', 'm=x', '--model-version', '-1'], {}, /model-version/],
    [['--model', 'm=x', '--format', 'ONNX'], {}, /--format: .*SavedModel/],
    [['--model', 'm=x', '--digest', 'sha256:1'], {}, /--digest is "sha256:1"; expected sha256: and 64/],
    [
      ['--model', 'm=x', '--max-batch-size', '0'],
      {},
      /--max-batch-size is "0"; expected a whole number from 1 to 4096/,
    ],
    [['--model', 'm=x', 'more'], {}, /more.*--help shows all flags/s],
    [
      ['--model', 'm=x'],
      { MODEL_SERVER_LOG_LEVEL: 'loud' },
      /MODEL_SERVER_LOG_LEVEL is "loud"; expected one of/,
    ],
    [
      ['--model', 'm=x'],
      { MODEL_SERVER_MAX_BODY_BYTES: '1e6' },
      /MODEL_SERVER_MAX_BODY_BYTES is "1e6"; expected/,
    ],
    [
      ['--model', 'm=/x'],
      { MODEL_SERVER_PLAIN_HTTP_REGISTRIES: 'http://r:5000' },
      /has "http:..r:5000"; expected HOST:PORT/,
    ],
    [[], { ...podVariables, [POD_ENV.podUid]: '' }, /AICITY_POD_UID is not set; the operator sets it/],
  ])('%j %j', (args, variables, sentence) => {
    expect(() => alone(args, variables)).toThrow(ConfigError);
    expect(() => alone(args, variables)).toThrow(sentence);
  });
});

test('help names every flag', () => {
  expect(alone(['--help'])).toBe('help');
  expect(HELP).toContain('--queue-capacity');
});
