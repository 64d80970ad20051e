/** The real server in a process of its own, on the real engine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

export interface ServerProcess {
  readonly url: string;
  /** Host and port of gRPC. */
  readonly grpc: string;
  readonly child: ChildProcess;
  /** What it wrote so far. */
  log(): string;
  /** Exit code, once it has ended. */
  readonly exit: Promise<number | null>;
  ready(): Promise<void>;
  /** Ends it, however it is. */
  kill(): Promise<void>;
}

/** Makes native TensorFlow ready; milliseconds when it is. */
export async function prepareTensorflow(): Promise<void> {
  const build = spawn(process.execPath, ['model-server/native/build.ts'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  const [code] = await once(build, 'exit');
  if (code !== 0) throw new Error('native TensorFlow could not be made ready');
}

const running = new Set<ServerProcess>();

/** Ends what a test that failed has left. */
export async function killServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.kill()));
}

/** Starts the server on a free port; resolves when it listens. */
export async function startServer(
  args: string[],
  env: Record<string, string> = {},
  nodeFlags: string[] = [],
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...nodeFlags, 'model-server/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], TF_CPP_MIN_LOG_LEVEL: '2', ...env },
  });
  let text = '';
  // Not at its exit: what it wrote last may come after that.
  const exit = once(child, 'close').then(([code]) => code as number | null);
  const { url, grpc } = await new Promise<{ url: string; grpc: string }>((resolve, reject) => {
    const collect = (chunk: Buffer) => {
      text += chunk;
      const [, grpcPort, port] = /"grpcPort":(\d+),"port":(\d+),"msg":"listening"/.exec(text) ?? [];
      if (port) resolve({ url: `http://127.0.0.1:${port}`, grpc: `127.0.0.1:${grpcPort}` });
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    void exit.then((code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
  const server: ServerProcess = {
    url,
    grpc,
    child,
    exit,
    log: () => text,
    async ready() {
      for (;;) {
        if (child.exitCode !== null) throw new Error(`the server ended: ${text}`);
        const answer = await fetch(`${url}/v2/health/ready`);
        await answer.arrayBuffer();
        if (answer.ok) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
  };
  running.add(server);
  void exit.then(() => running.delete(server));
  return server;
}

export interface Answered {
  status: number;
  body: { predictions?: number[][]; error?: string };
}

export async function predict(url: string, instances: unknown): Promise<Answered> {
  const answer = await fetch(`${url}/v1/models/traffic:predict`, {
    method: 'POST',
    body: JSON.stringify({ instances }),
  });
  return { status: answer.status, body: (await answer.json()) as Answered['body'] };
}

/** Rows of ones as a binary tensor of the Open Inference Protocol. */
export function inferOnes(url: string, rows: number, width: number, signal?: AbortSignal): Promise<Response> {
  const data = new Float32Array(rows * width).fill(1);
  const json = JSON.stringify({
    inputs: [
      {
        ...{ name: 'dense_input', datatype: 'FP32', shape: [rows, width] },
        parameters: { binary_data_size: data.byteLength },
      },
    ],
    parameters: { binary_data_output: true },
  });
  return fetch(`${url}/v2/models/traffic/infer`, {
    method: 'POST',
    headers: { 'inference-header-content-length': String(json.length) },
    body: Buffer.concat([Buffer.from(json), Buffer.from(data.buffer)]),
    ...(signal ? { signal } : {}),
  });
}

/** A figure of `/metrics` without labels; NaN when it is not there. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

/** Asks again and again until it is so. @throws Error when it is still not so after two minutes */
export async function eventually(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`it is still not so: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
