/** The server in a process of its own, asked by clients that others have written. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { run } from '../region/command.ts';
import { killServers, type ServerProcess, startServer } from '../unit/model-server/serve/server-process.ts';
import { clientPackages } from './python.ts';

jest.setTimeout(300_000);

const here = dirname(fileURLToPath(import.meta.url));
let server: ServerProcess;
let directory: string;
let packages: string;

beforeAll(async () => {
  packages = await clientPackages();
  directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
  const fixture = (name: string) => join(here, '..', 'fixtures', 'models', name);
  const models = [
    { name: 'half_plus_two', uri: fixture('half-plus-two'), labels: { stable: 123 } },
    { name: 'half_plus_three', uri: fixture('half-plus-three') },
    { name: 'seasonal', uri: fixture('seasonal') },
  ];
  await writeFile(join(directory, 'models.json'), JSON.stringify({ models }));
  const address = ['--port', '0', '--host', '127.0.0.1'];
  server = await startServer(['--config', join(directory, 'models.json'), ...address]);
  await server.ready();
}, 1_800_000);
afterAll(async () => {
  await killServers();
  await rm(directory, { recursive: true });
});

/** Runs all checks of a module at once: importing the clients takes longer than what they ask. */
async function outcomes(module: string): Promise<Record<string, string>> {
  const environment = {
    ...{ PYTHONPATH: packages, PYTHONWARNINGS: 'ignore' },
    // Compiled once, and not into the checkout.
    PYTHONPYCACHEPREFIX: join(packages, '.compiled'),
  };
  const output = await run('python3', [join(here, 'checks.py'), module, server.url, server.grpc], {
    environment,
  });
  return JSON.parse(output.slice(output.lastIndexOf('\n{') + 1));
}

const passed = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'passed']));

test('tritonclient', async () => {
  expect(await outcomes('triton')).toEqual(
    passed(
      ...['http_health', 'http_metadata', 'http_binary_tensors', 'http_json_tensors', 'http_large_tensor'],
      ...['http_many_at_once', 'http_refusals', 'http_statistics', 'http_repository'],
      ...[
        'grpc_health',
        'grpc_metadata',
        'grpc_infer',
        'grpc_compressed',
        'grpc_large_tensor',
        'grpc_stream',
      ],
      ...['grpc_refusals', 'grpc_statistics', 'grpc_repository', 'grpc_messages_are_tritons'],
    ),
  );
});

test("KServe's SDK", async () => {
  expect(await outcomes('kserve_sdk')).toEqual(passed('v1', 'v2', 'v2_refusals', 'grpc', 'forecast'));
});

test('the types of tensorflow-serving-api', async () => {
  expect(await outcomes('tensorflow_serving_types')).toEqual(
    passed('predict', 'regress', 'classify_with_context', 'status', 'metadata'),
  );
});

// https://www.tensorflow.org/tfx/serving/api_rest#example, with the address of this server in place of localhost:8501.
describe("the lines of TensorFlow Serving's documentation", () => {
  test.each<[string, unknown]>([
    [
      `curl -d '{"instances": [1.0,2.0,5.0]}' -X POST http://localhost:8501/v1/models/half_plus_three:predict`,
      { predictions: [3.5, 4.0, 5.5] },
    ],
    [
      `curl -d '{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}' -X POST http://localhost:8501/v1/models/half_plus_three:regress`,
      { results: [3.5, 4.0] },
    ],
    [
      'curl http://localhost:8501/v1/models/half_plus_three',
      {
        ...{ name: 'half_plus_three', ready: true },
        model_version_status: [
          { version: '123', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } },
        ],
      },
    ],
    [
      `curl -i -d '{"instances": [1.0,5.0]}' -X POST http://localhost:8501/v1/models/half:predict`.replace(
        '-i ',
        '',
      ),
      { error: expect.stringMatching(/^Servable not found for request: Latest\(half\)/) },
    ],
  ])('%s', async (line, answer) => {
    const command = line.replace('http://localhost:8501', server.url).replace('curl ', 'curl --silent ');
    expect(JSON.parse(await run('sh', ['-c', command]))).toEqual(answer);
  });
});
