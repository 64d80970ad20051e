/** Our model server as a contender: bundled as in its image, with its defaults. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleModelServer } from '../region/bundle.ts';
import type { Contender } from './contender.ts';
import { familyOf } from './process-costs.ts';
import { instancesRequest, rawTensorRequest } from './requests.ts';

const tensorflow = fileURLToPath(new URL('../../node_modules/@tensorflow/tfjs-node', import.meta.url));

/**
 * @param directory becomes what `/app` is in the image.
 * @param nodeFlags for instance to leave a CPU profile.
 */
export async function ourServer(directory: string, nodeFlags: readonly string[]): Promise<Contender> {
  const link = join(directory, 'node_modules', '@tensorflow', 'tfjs-node');
  await mkdir(dirname(link), { recursive: true });
  await symlink(tensorflow, link);
  for (const [file, content] of await bundleModelServer()) await writeFile(join(directory, file), content);
  return {
    name: 'ours',
    async start(model, place, port) {
      const flags = [
        '--model',
        `bench=${place}`,
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '--grpc-port',
        '0',
      ];
      const child = spawn(process.execPath, [...nodeFlags, join(directory, 'main.mjs'), ...flags], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { PATH: process.env['PATH'], NODE_ENV: 'production', TF_CPP_MIN_LOG_LEVEL: '3' },
      });
      const exit = once(child, 'exit');
      const url = `http://127.0.0.1:${port}`;
      return {
        pid: child.pid!,
        hasEnded: exit.then(([code]) => `ours ended with ${code}`),
        processes: () => familyOf(child.pid!),
        request: (protocol, rows, inputShape = model.inputShape) =>
          protocol === 'JSON'
            ? instancesRequest({ ...model, inputShape }, rows, `${url}/v1/models/bench:predict`)
            : rawTensorRequest({ ...model, inputShape }, rows, `${url}/v2/models/bench/infer`),
        // Not killed: a profile is written at the end.
        async stop() {
          child.kill('SIGTERM');
          await exit;
        },
      };
    },
  };
}
