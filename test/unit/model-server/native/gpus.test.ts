/** The add-on that asks the driver for GPUs, and the server that tells of them. Where no driver is, one is compiled. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { addonPath } from '../../../../model-server/engine/native-package.ts';
import { killServers, startServer } from '../serve/server-process.ts';

jest.setTimeout(60_000);

const addon = addonPath('aicity_gpus');
const driver = fileURLToPath(new URL('../../../fixtures/nvml/nvml.cc', import.meta.url));
const model = fileURLToPath(new URL('../../../fixtures/models/plus', import.meta.url));
const GIBIBYTE = 2 ** 30;

let libraries: string;
beforeAll(async () => {
  libraries = await mkdtemp(join(tmpdir(), 'nvml-'));
  const library = join(libraries, 'libnvidia-ml.so.1');
  execFileSync('g++', ['-std=c++17', '-fPIC', '-shared', driver, '-o', library]);
});
afterAll(async () => {
  await killServers();
  await rm(libraries, { recursive: true });
});

/** What a process reads twice, with this in its environment. */
function readings(environment: Record<string, string>): unknown[] {
  const program = `const { read } = require(${JSON.stringify(addon)});
    read().then(async (first) => console.log(JSON.stringify([first, await read()])));`;
  const env = { PATH: process.env['PATH'], ...environment };
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }));
}

test('GPUs as a whole, slices in place of a GPU that is cut, and none that may not be seen', () => {
  const slice = { name: 'NVIDIA Large MIG 1g.10gb', memoryBytes: 10 * GIBIBYTE, utilization: null };
  const gpus = [
    { uuid: 'GPU-1', name: 'NVIDIA Large', memoryBytes: 80 * GIBIBYTE, utilization: 0.37 },
    { uuid: 'MIG-1', ...slice },
    { uuid: 'MIG-2', ...slice },
  ].map((gpu) => ({ ...gpu, memoryUsedBytes: 2 * GIBIBYTE }));
  expect(readings({ LD_LIBRARY_PATH: libraries })).toEqual([gpus, gpus]);
});

test('none where the library is there and the driver is not', () => {
  expect(readings({ LD_LIBRARY_PATH: libraries, NVML_IS_LOADED: '0' })).toEqual([[], []]);
});

const withoutDriver = existsSync('/proc/driver/nvidia/version') ? test.skip : test;
withoutDriver('none on a machine that knows nothing of such GPUs', () => {
  expect(readings({})).toEqual([[], []]);
});

test('the server tells of them in its metrics', async () => {
  const server = await startServer(['--model', `plus=${model}`, '--port', '0', '--grpc-port', '0'], {
    LD_LIBRARY_PATH: libraries,
  });
  await server.ready();
  const text = await (await fetch(`${server.url}/metrics`)).text();
  expect(text.split('\n').filter((line) => line.startsWith('aicity_gpu'))).toEqual([
    'aicity_gpu_memory_bytes{uuid="GPU-1",name="NVIDIA Large"} 85899345920',
    'aicity_gpu_memory_bytes{uuid="MIG-1",name="NVIDIA Large MIG 1g.10gb"} 10737418240',
    'aicity_gpu_memory_bytes{uuid="MIG-2",name="NVIDIA Large MIG 1g.10gb"} 10737418240',
    'aicity_gpu_memory_used_bytes{uuid="GPU-1",name="NVIDIA Large"} 2147483648',
    'aicity_gpu_memory_used_bytes{uuid="MIG-1",name="NVIDIA Large MIG 1g.10gb"} 2147483648',
    'aicity_gpu_memory_used_bytes{uuid="MIG-2",name="NVIDIA Large MIG 1g.10gb"} 2147483648',
    'aicity_gpu_utilization{uuid="GPU-1",name="NVIDIA Large"} 0.37',
  ]);
  await server.kill();
});
