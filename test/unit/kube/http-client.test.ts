import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { HttpKubeClient } from '../../../operator/kube/http-client.ts';
import { fromText } from '../../../operator/kube/kubeconfig.ts';
import { resources } from '../../../operator/kube/resources.ts';
import { hang, hangUp, json, lines, type Responder, ScriptedServer, status } from './scripted-server.ts';

let server: ScriptedServer;
let client: KubeClient;

async function talkTo(...answers: Responder[]): Promise<KubeClient> {
  server = await new ScriptedServer().start(...answers);
  client = new HttpKubeClient({ loadConfig: server.config() });
  return client;
}
afterEach(async () => {
  await client.close();
  await server.stop();
});

const configMap = { metadata: { name: 'c', namespace: 'city' } };

describe('verbs', () => {
  test('apply sends the whole object as a patch, strictly validated, without managed fields', async () => {
    await talkTo(json(configMap));
    const object = {
      ...configMap,
      metadata: { ...configMap.metadata, managedFields: [{}] },
      data: { a: '1' },
    };
    await client.apply(resources.ConfigMap, object, { fieldManager: 'aicity', force: true, dryRun: true });
    expect(server.requests[0]).toMatchObject({
      method: 'PATCH',
      path: '/api/v1/namespaces/city/configmaps/c',
      query: { fieldManager: 'aicity', force: 'true', dryRun: 'All', fieldValidation: 'Strict' },
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: configMap.metadata, data: { a: '1' } },
    });
    expect(server.requests[0]!.body).not.toHaveProperty('metadata.managedFields');
  });

  test('nothing of an object is lost on the way, not even fields with odd names', async () => {
    await talkTo(json({}));
    const policy = {
      metadata: { name: 'n', namespace: 'city' },
      spec: { ingress: [{ from: [{ podSelector: {} }] }], default: 1, 'x-kubernetes-thing': [null, 0, ''] },
    };
    await client.apply(resources.NetworkPolicy, policy, { fieldManager: 'aicity' });
    expect(server.requests[0]!.body).toMatchObject({ spec: policy.spec });
    expect(server.requests[0]!.query).not.toHaveProperty('force');
  });

  test('status goes to its subresource, as an apply or as a merge', async () => {
    await talkTo(json({}));
    const options = { fieldManager: 'aicity', force: true };
    await client.patchStatus(resources.ModelService, configMap, options);
    await client.patchStatus(resources.ModelService, configMap, { ...options, method: 'merge' });
    const [apply, merge] = server.requests;
    expect(apply).toMatchObject({
      path: '/apis/aicity.io/v1alpha1/namespaces/city/modelservices/c/status',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      query: { force: 'true' },
    });
    expect(merge!.headers['content-type']).toBe('application/merge-patch+json');
    expect(merge!.query).not.toHaveProperty('force'); // the server refuses it there
  });

  test('delete names the very object, and lets its dependents follow', async () => {
    await talkTo(json({}));
    await client.delete(resources.ConfigMap, { namespace: 'city', name: 'c' }, { uid: 'u1' });
    expect(server.requests[0]).toMatchObject({
      method: 'DELETE',
      body: { kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: { uid: 'u1' } },
    });
  });

  test('a list is read to its last page and its items know their kind', async () => {
    await talkTo(
      json({ metadata: { resourceVersion: '5', continue: 'next' }, items: [configMap] }),
      json({ metadata: { resourceVersion: '5' }, items: [configMap] }),
    );
    const list = await client.list(resources.ConfigMap, { namespace: 'city', labelSelector: 'app in (a,b)' });
    expect(list.items).toHaveLength(2);
    expect(list.items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(server.requests.map(({ query }) => query)).toEqual([
      { labelSelector: 'app in (a,b)', limit: '500' },
      { labelSelector: 'app in (a,b)', limit: '500', continue: 'next' },
    ]);
  });

  test('an empty list may have null for its items', async () => {
    await talkTo(json({ metadata: {}, items: null }));
    expect((await client.list(resources.Pod)).items).toEqual([]);
  });

  test('a server behind a path is spoken to behind that path', async () => {
    await talkTo(json({}));
    const behind = new HttpKubeClient({ loadConfig: server.config({ path: '/k8s/clusters/c-1/' }) });
    await behind.get(resources.Node, { name: 'n1' });
    expect(server.requests[0]!.path).toBe('/k8s/clusters/c-1/api/v1/nodes/n1');
    await behind.close();
  });
});

describe('failures', () => {
  test('the server says what is wrong and when to come back', async () => {
    await talkTo(status(429, 'TooManyRequests', 'too many requests', { 'retry-after': '7' }));
    await expect(client.get(resources.Node, { name: 'n1' })).rejects.toMatchObject({
      name: 'KubeError',
      kind: 'retry',
      status: 429,
      reason: 'TooManyRequests',
      retryAfterSeconds: 7,
      message: 'GET /api/v1/nodes/n1: too many requests (HTTP 429)',
    });
  });

  test('a page of a proxy is quoted', async () => {
    await talkTo((response) => void response.writeHead(502).end('<h1>Bad Gateway</h1>'));
    await expect(client.get(resources.Node, { name: 'n1' })).rejects.toMatchObject({
      kind: 'retry',
      status: 502,
      message: expect.stringContaining('<h1>Bad Gateway</h1>'),
    });
  });

  test.each<[string, Responder, string, string, number?]>([
    ['hangs', hang, 'Timeout', 'no complete answer within 0.2 s', 0.2],
    ['sends half of its answer', half, 'Timeout', 'no complete answer within 0.2 s', 0.2],
    ['hangs up', hangUp, 'Network', 'other side closed'],
    ['sends what is not JSON', text('<html>'), 'BadResponse', 'the answer is not JSON: "<html>"'],
  ])('a server that %s', async (_, answer, reason, message, timeoutSeconds = 30) => {
    await talkTo(answer);
    await expect(client.get(resources.Node, { name: 'n1' }, { timeoutSeconds })).rejects.toMatchObject({
      name: 'KubeError',
      kind: 'retry',
      status: 0,
      reason,
      message: expect.stringContaining(message),
    });
  });

  test('nobody listens', async () => {
    await talkTo(json({}));
    await server.stop();
    await expect(client.get(resources.Node, { name: 'n1' })).rejects.toMatchObject({
      reason: 'Network',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await server.start(json({}));
  });

  test('the caller stops', async () => {
    await talkTo(hang);
    const stop = new AbortController();
    const call = client.get(resources.Node, { name: 'n1' }, { signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    await expect(call).rejects.toMatchObject({ reason: 'Aborted' });
    await expect(client.get(resources.Node, { name: 'n1' }, { signal: stop.signal })).rejects.toMatchObject({
      reason: 'Aborted',
    });
  });
});

describe('credentials', () => {
  test('refused ones are loaded anew and tried once more', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kube-'));
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, 'old\n');
    await talkTo(
      (response) => {
        writeFileSync(tokenFile, 'new\n');
        status(401, 'Unauthorized', 'who are you')(response, server.requests[0]!);
      },
      json({ ok: true }),
    );
    const user = `{auth-provider: {name: tokenFile, config: {tokenFile: "${tokenFile}"}}}`;
    const withToken = new HttpKubeClient({ loadConfig: server.config({ user }) });
    expect(await withToken.get(resources.Node, { name: 'n1' })).toEqual({ ok: true });
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    await withToken.close();
    rmSync(directory, { recursive: true });
  });

  test('refused twice is an error, not a loop', async () => {
    await talkTo(status(401, 'Unauthorized', 'who are you'));
    await expect(client.get(resources.Node, { name: 'n1' })).rejects.toMatchObject({
      status: 401,
      kind: 'retry',
    });
    expect(server.requests).toHaveLength(2);
  });

  test('a program that prints a token is asked once for many calls at once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kube-'));
    const asked = join(directory, 'asked');
    await talkTo(json({}));
    const script = `echo x >> ${asked}; echo '{"status":{"token":"from-program"}}'`;
    const user = `{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: ["-c", ${JSON.stringify(script)}]}}`;
    const withProgram = new HttpKubeClient({ loadConfig: server.config({ user }) });
    await Promise.all(Array.from({ length: 20 }, () => withProgram.get(resources.Node, { name: 'n1' })));
    expect(server.requests[0]!.headers.authorization).toBe('Bearer from-program');
    expect(readFileSync(asked, 'utf8')).toBe('x\n');
    await withProgram.close();
    rmSync(directory, { recursive: true });
  });

  test('a program that hangs does not hang the call', async () => {
    await talkTo(json({}));
    const user = '{exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ["2"]}}';
    const stuck = new HttpKubeClient({ loadConfig: server.config({ user }) });
    await expect(stuck.get(resources.Node, { name: 'n1' }, { timeoutSeconds: 0.1 })).rejects.toMatchObject({
      reason: 'Timeout',
    });
    expect(server.requests).toHaveLength(0);
    await stuck.close();
  });

  test('ones that cannot be had are an error to retry, and are tried again with the next call', async () => {
    await talkTo(json({}));
    let isBroken = true;
    const load = server.config();
    const flaky = new HttpKubeClient({
      loadConfig: () => {
        if (isBroken) throw new Error('no such file: token');
        return load();
      },
    });
    await expect(flaky.get(resources.Node, { name: 'n1' })).rejects.toMatchObject({
      kind: 'retry',
      reason: 'Credentials',
      message: expect.stringContaining('no such file: token'),
    });
    isBroken = false;
    expect(await flaky.get(resources.Node, { name: 'n1' })).toEqual({});
    await flaky.close();
  });
});

test('a kubeconfig that names another server after a refusal is followed there', async () => {
  await talkTo(status(401, 'Unauthorized', 'who are you'));
  const successor = await new ScriptedServer().start(json({ from: 'successor' }));
  const configs = [server.config(), successor.config()];
  const moving = new HttpKubeClient({ loadConfig: () => (configs.shift() ?? successor.config())() });
  expect(await moving.get(resources.Node, { name: 'n1' })).toEqual({ from: 'successor' });
  expect(await moving.get(resources.Node, { name: 'n1' })).toEqual({ from: 'successor' });
  expect(server.requests).toHaveLength(1);
  await moving.close();
  await successor.stop();
});

test('a proxy that the kubeconfig names is used', async () => {
  await talkTo(json({ through: 'proxy' }));
  const yaml = `
current-context: test
clusters: [{name: c, cluster: {server: "http://api.invalid:6443", insecure-skip-tls-verify: true, proxy-url: "${server.address}"}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: test, context: {cluster: c, user: u}}]
`;
  const proxied = new HttpKubeClient({ loadConfig: fromText(yaml) });
  expect(await proxied.get(resources.Node, { name: 'n1' })).toEqual({ through: 'proxy' });
  expect(server.requests[0]).toMatchObject({
    path: '/api/v1/nodes/n1',
    headers: { host: 'api.invalid:6443', authorization: 'Bearer secret' },
  });
  await proxied.close();
});

test('a context that is not there is an error that names those that are', async () => {
  await talkTo(json({}));
  const load = fromText('{contexts: [{name: porto, context: {cluster: c, user: u}}]}', 'lisbon');
  expect(load).toThrow('kubeconfig: context "lisbon" names no cluster; its contexts are: porto');
});

test('many calls share a few connections', async () => {
  await talkTo(json({}));
  const few = new HttpKubeClient({ loadConfig: server.config(), maxCalls: 4 });
  await Promise.all(Array.from({ length: 100 }, () => few.get(resources.Node, { name: 'n1' })));
  expect(server.requests).toHaveLength(100);
  expect(server.connections).toBeLessThanOrEqual(4);
  await few.close();
});

describe('watching', () => {
  const added = { type: 'ADDED', object: configMap };

  test('asks for bookmarks and a time limit, and yields events as they come', async () => {
    await talkTo(lines([added, added], { end: true }));
    let isOpen = false;
    const events = client.watch(resources.ConfigMap, {
      namespace: 'city',
      resourceVersion: '7',
      timeoutSeconds: 300,
      onOpen: () => {
        isOpen = true;
      },
    });
    const seen: unknown[] = [];
    for await (const event of events) seen.push(event);
    expect(isOpen).toBe(true);
    expect(seen).toEqual([added, added]);
    expect(server.requests[0]!.query).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '7',
      timeoutSeconds: '300',
    });
  });

  test('a streamed list is asked for in the words that the server insists on', async () => {
    await talkTo(lines([], { end: true }));
    for await (const _ of client.watch(resources.Pod, { sendInitialEvents: true }));
    expect(server.requests[0]!.query).toMatchObject({
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
    });
  });

  test.each([
    ['refuses', status(410, 'Expired', 'too old'), { status: 410, reason: 'Expired' }],
    ['sends what is not JSON', lines([added, '{"type":"ADD']), { reason: 'BadResponse' }],
    ['never ends a line', lines(['x'.repeat(5000)]), { reason: 'BadResponse' }],
    ['breaks off', breakOff, { reason: 'Network' }],
  ])('a server that %s', async (_, answer, expected) => {
    server = await new ScriptedServer().start(answer);
    client = new HttpKubeClient({ loadConfig: server.config(), maxLineBytes: 1000 });
    await expect(drain(client)).rejects.toMatchObject({ name: 'KubeError', kind: 'retry', ...expected });
  });

  test('leaving the loop, or the signal, ends the connection', async () => {
    await talkTo(lines([added]));
    for await (const _ of client.watch(resources.Pod, {})) break;
    const stop = new AbortController();
    const watched = drain(client, stop.signal, () => stop.abort());
    await expect(watched).rejects.toMatchObject({ reason: 'Aborted' });
    while (server.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

async function drain(from: KubeClient, signal?: AbortSignal, onEvent = () => {}): Promise<void> {
  for await (const _ of from.watch(resources.Pod, { signal })) onEvent();
}

function text(body: string): Responder {
  return (response) => void response.writeHead(200).end(body);
}

function half(response: Parameters<Responder>[0]): void {
  response.writeHead(200, { 'content-length': '100' });
  response.write('{"metadata":');
}

function breakOff(response: Parameters<Responder>[0]): void {
  response.writeHead(200);
  response.write('{"type":"ADDED","object":{"metadata":{"name":"c"}}}\n', () => response.socket?.destroy());
}
