/** The peers, each as somebody who knows it well runs it on two cores. Their programs lie in the folders of their names. */

import { say } from '../../region/progress.ts';
import type { Contender } from '../contender.ts';
import { instancesRequest, rawTensorRequest } from '../requests.ts';
import { interpreterOf } from './environments.ts';
import { type Call, contenderOf, type Peer } from './peer.ts';
import { bareRowsRequest, inferRequest } from './peer-requests.ts';

/** `{"instances": …}` to `path`, and nothing in binary. */
const instancesTo =
  (path: string): Peer['request'] =>
  (protocol, model, rows, url) =>
    protocol === 'JSON' ? instancesRequest(model, rows, `${url}${path}`) : undefined;

const INFER = '/v2/models/bench/infer';

export const peers: readonly Peer[] = [
  {
    name: 'fastapi',
    args: (port) => [
      ...['-m', 'uvicorn', 'server:app', '--workers', '2', '--loop', 'uvloop', '--http', 'httptools'],
      ...['--host', '127.0.0.1', '--port', String(port), '--no-access-log', '--log-level', 'warning'],
    ],
    request: (protocol, model, rows, url) =>
      protocol === 'JSON'
        ? instancesRequest(model, rows, `${url}/predict`)
        : bareRowsRequest(model, rows, `${url}/predict-raw`),
  },
  {
    name: 'mlserver',
    args: () => ['-c', 'from mlserver.cli import main; main()', 'start', '.'],
    env: (port) => ({
      ...{ MLSERVER_HOST: '127.0.0.1', MLSERVER_HTTP_PORT: String(port), MLSERVER_PARALLEL_WORKERS: '0' },
      // Not asked here, and in nobody's way.
      ...{ MLSERVER_GRPC_PORT: String(besides(port, 1)), MLSERVER_METRICS_PORT: String(besides(port, 2)) },
      MLSERVER_DEBUG: 'false',
    }),
    request: (protocol, model, rows, url) =>
      protocol === 'JSON' ? inferRequest(model, rows, `${url}${INFER}`) : undefined,
  },
  {
    name: 'kserve',
    args: () => ['server.py'],
    request: (protocol, model, rows, url) =>
      protocol === 'JSON'
        ? instancesRequest(model, rows, `${url}/v1/models/bench:predict`)
        : rawTensorRequest(model, rows, `${url}${INFER}`),
  },
  {
    name: 'bentoml',
    args: (port) => [
      ...['-m', 'bentoml', 'serve', 'service:Bench', '--working-dir', '.'],
      ...['--host', '127.0.0.1', '--port', String(port)],
    ],
    env: () => ({ BENTOML_DO_NOT_TRACK: 'True' }),
    request: instancesTo('/predict'),
  },
  { name: 'ray', args: () => ['server.py'], request: instancesTo('/predict') },
  { name: 'litserve', args: () => ['server.py'], request: instancesTo('/predict') },
  {
    name: 'mosec',
    args: (port) => [
      ...['server.py', '--address', '127.0.0.1', '--port', String(port), '--timeout', '30000'],
      ...['--log-level', 'warning'],
    ],
    request: (protocol, model, rows, url) =>
      protocol === 'JSON'
        ? instancesRequest(model, rows, `${url}/inference`)
        : bareRowsRequest(model, rows, `${url}/inference`, Buffer.alloc(4)),
  },
  {
    name: 'pytriton',
    args: () => ['server.py'],
    request: (protocol, model, rows, url) =>
      (protocol === 'JSON' ? inferRequest : rawTensorRequest)(model, rows, `${url}${INFER}`),
  },
];

/** Those that can be had on this machine; what keeps another one away is said. */
export async function installedPeers(call: Call, names: readonly string[]): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const peer of peers.filter(({ name }) => names.length === 0 || names.includes(name))) {
    try {
      contenders.push(contenderOf(peer, await interpreterOf(peer.name), call));
    } catch (error) {
      say(`${peer.name} is left out: ${(error as Error).message}`);
    }
  }
  return contenders;
}

/** A port for what a peer opens besides; far from those that the kernel lends. */
function besides(port: number, offset: number): number {
  return 10_000 + ((port * 3 + offset) % 20_000);
}
