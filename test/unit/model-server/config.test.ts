import { describe, expect, test } from '@jest/globals';
import { POD_ENV, POD_PATHS } from '../../../crds/pod-contract.ts';
import { type Config, HELP, readConfig } from '../../../model-server/config.ts';
import { ConfigError } from '../../../model-server/config-error.ts';
import { FLAG_NAMES } from '../../../model-server/config-flags.ts';

const alone = (args: string[], variables: Record<string, string> = {}, memoryBytes = 0) =>
  readConfig(args, { variables, memoryBytes, readFile: readFrom({}) }) as Config;

const readFrom = (files: Record<string, string>) => (path: string) => {
  const text = files[path];
  if (text === undefined) throw new Error('ENOENT');
  return text;
};

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
    port: 8080,
    drainLagSeconds: 0,
    models: [
      {
        name: 'traffic',
        assignment: {
          revision: expect.stringMatching(/^[0-9a-f]{10}$/),
          model: { uri: 'file:///models/traffic', version: 3 },
          serving: { maxBatchSize: 8, queueCapacity: 256, warmUpRequests: 1 },
        },
      },
    ],
  });
  expect(config.operator).toBeUndefined();
  expect(config.host).toBeUndefined();
});

test('an address is taken as it is, a path as a place here', () => {
  expect(alone(['--model', 'm=https://models/a=b/m.tar.gz']).models[0]?.assignment?.model.uri).toBe(
    'https://models/a=b/m.tar.gz',
  );
  expect(alone(['--model', 'm=here']).models[0]?.assignment?.model.uri).toBe(`file://${process.cwd()}/here`);
});

test('in a pod', () => {
  expect(alone([], podVariables)).toMatchObject({
    models: [{ name: 'traffic' }],
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
      ['--model', 'm=x'],
      { MODEL_SERVER_ACCESS_LOG_SHARE: '5%' },
      /MODEL_SERVER_ACCESS_LOG_SHARE is "5%"; expected a number from 0 to 1/,
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

test('several models, versions and labels by flags', () => {
  const { models } = alone(['--model', 'a=/a', '--model', 'b=s3://bucket/b', '--versions', 'latest:2']);
  expect(models).toMatchObject([
    { name: 'a', assignment: { model: { uri: 'file:///a' } }, policy: { latest: 2 } },
    { name: 'b', assignment: { model: { uri: 's3://bucket/b' } }, policy: { latest: 2 } },
  ]);
  const [labelled] = alone([
    ...['--model', 'a=/a', '--versions', '2,3', '--label', 'stable=2', '--label', 'canary=3'],
  ]).models;
  expect(labelled).toMatchObject({ policy: { specific: [2, 3] } });
  expect([...(labelled?.labels ?? [])]).toEqual([
    ['stable', 2],
    ['canary', 3],
  ]);
});

describe('a file', () => {
  const withFile = (text: string, args: string[] = [], variables: Record<string, string> = {}) =>
    readConfig(['--config', '/etc/models.yaml', ...args], {
      ...{ variables, memoryBytes: 0 },
      readFile: readFrom({ '/etc/models.yaml': text }),
    }) as Config;

  test('says all that flags say, for each model; flags and variables outrank it', () => {
    const text = `
models:
  - name: traffic
    uri: ./traffic
    versions: [2, 3]
    labels: {stable: 2}
    serving: {maxBatchSize: 4}
  - {name: air, uri: 's3://models/air', versions: latest:2, format: SavedModel}
serving: {maxBatchSize: 16, queueCapacity: 9}
port: 9000
logLevel: debug
`;
    expect(withFile(text)).toMatchObject({
      ...{ port: 9000, logLevel: 'debug' },
      models: [
        {
          name: 'traffic',
          policy: { specific: [2, 3] },
          labels: new Map([['stable', 2]]),
          assignment: {
            model: { uri: 'file:///etc/traffic' },
            serving: { maxBatchSize: 4, queueCapacity: 9 },
          },
        },
        { name: 'air', policy: { latest: 2 }, assignment: { serving: { maxBatchSize: 16 } } },
      ],
    });
    const flags = ['--port', '1', '--max-batch-size', '2', '--model', 'noise=/n'];
    expect(withFile(text, flags, { MODEL_SERVER_LOG_LEVEL: 'warn' })).toMatchObject({
      ...{ port: 1, logLevel: 'warn' },
      models: [
        { name: 'traffic', assignment: { serving: { maxBatchSize: 2 } } },
        { name: 'air', assignment: { serving: { maxBatchSize: 2 } } },
        { name: 'noise', assignment: { serving: { maxBatchSize: 2, queueCapacity: 9 } } },
      ],
    });
  });

  test('names the key that models must be signed with, beside it', () => {
    const readFile = readFrom({
      '/etc/models.yaml': 'models: [{name: m, uri: x, publicKeyFile: cosign.pub}]',
      '/etc/cosign.pub': 'PEM',
      'other.pub': 'OTHER',
    });
    const read = (...args: string[]) =>
      (
        readConfig(['--config', '/etc/models.yaml', ...args], {
          variables: {},
          memoryBytes: 0,
          readFile,
        }) as Config
      ).models[0]?.assignment?.model.signature;
    expect(read()).toEqual({ publicKey: 'PEM' });
    expect(read('--public-key', 'other.pub')).toEqual({ publicKey: 'OTHER' });
    expect(() => read('--public-key', 'none')).toThrow(/the public key "none" cannot be read: ENOENT/);
  });

  test('may be JSON', () => {
    expect(withFile('{"models":[{"name":"m","uri":"/m"}]}').models).toMatchObject([{ name: 'm' }]);
  });

  test.each([
    ['models: []', /models.yaml: models is \[\]; expected array to have >=1 items/],
    ['modells: []', /models is missing; expected array|modells is not known/],
    ['', /is neither YAML nor JSON: .*the input is empty/],
    ['models: [{name: m}]', /models\[0\].uri is missing; expected string/],
    ['models: [{name: a/b, uri: x}]', /models\[0\].name is "a\/b"; expected a name without/],
    [
      'models: [{name: m, uri: x, versions: latest}]',
      /models\[0\].versions is "latest"; expected latest:NUMBER/,
    ],
    [
      'models: [{name: m, uri: x, format: ONNX}]',
      /models\[0\].format is "ONNX"; expected one of "SavedModel"/,
    ],
    [
      'models: [{name: m, uri: x, serving: {maxBatchSize: 0}}]',
      /models\[0\].serving.maxBatchSize is 0; expected number to be >=1/,
    ],
    [
      'models: [{name: m, uri: x, serving: {maxBatch: 1}}]',
      /models\[0\].serving.maxBatch is not known; expected one of maxBatchSize, /,
    ],
    ['models: [{name: m, uri: x, labels: {stable: x}}]', /labels.stable is "x"; expected number/],
    ['models: [{name: m, uri: ftp://x}]', /the uri of the model m is "ftp:..x": expected https/],
    ['models: [{name: m, uri: x}, {name: m, uri: y}]', /the model name "m" is given twice/],
    ['port: 70000\nmodels: [{name: m, uri: x}]', /port is 70000; expected number to be <=65535/],
    ['models: [', /is neither YAML nor JSON: /],
  ])('%j', (text, sentence) => {
    expect(() => withFile(text)).toThrow(ConfigError);
    expect(() => withFile(text)).toThrow(sentence);
  });
});

test.each([
  [['--config', 'nowhere'], /--config is "nowhere", which cannot be read: ENOENT/],
  [['--model', 'm=x', '--versions', 'some'], /--versions is "some"; expected latest:NUMBER, all, or/],
  [['--model', 'm=x', '--label', 'stable'], /--label is "stable"; expected NAME=NUMBER/],
  [['--model', 'm=x', '--versions', 'all', '--model-version', '1'], /--versions and --model-version/],
  [
    ['--model', 'a=x', '--model', 'b=x', '--format', 'SavedModel'],
    /--format is about one model and there are 2/,
  ],
  [['--model', 'm=x', '--model', 'm=y'], /the model name "m" is given twice/],
])('%j', (args, sentence) => expect(() => alone(args)).toThrow(sentence));

test('help names every flag', () => {
  expect(alone(['--help'])).toBe('help');
  for (const flag of FLAG_NAMES) expect(HELP).toContain(`--${flag}`);
});
