/** `/openapi.json` against the server itself: what it shows is answered as it says, and nothing else is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { openApiDocument } from '../../../../model-server/serve/openapi.ts';
import { EXCHANGES, SCHEMAS, type SchemaName } from '../../../../model-server/serve/openapi-schemas.ts';
import { OPERATIONS, type OperationName, pathsOf, routeOf } from '../../../../model-server/serve/routes.ts';
import { killServers, prepareTensorflow, type ServerProcess, startServer } from './server-process.ts';

jest.setTimeout(120_000);

interface Described {
  operationId: string;
  requestBody?: {
    content: Record<string, { schema: { $ref: string }; examples: Record<string, { value: unknown }> }>;
  };
  responses: { '200': { content: Record<string, { schema: { $ref?: string } }> } };
}
const document = openApiDocument('1.2.3') as {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, object> };
};
const fixture = (name: string) => fileURLToPath(new URL(`../../../fixtures/models/${name}`, import.meta.url));

/** Every example, or every request without a body, of every path. */
const requests = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) => {
    const examples = operation.requestBody?.content['application/json']?.examples ?? {
      '': { value: undefined },
    };
    return Object.entries(examples).map(([example, { value }]) => ({
      path,
      method,
      operation,
      example,
      value,
    }));
  }),
);

test('has every route, and nothing that is no route', () => {
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const routed = Object.values(OPERATIONS).flatMap((operation) =>
    pathsOf(operation).map((path) => `${operation.method.toLowerCase()} ${path}`),
  );
  expect(described.sort()).toEqual(routed.sort());
});

test('every route of the table is the one that the router takes', () => {
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    for (const path of pathsOf(operation)) {
      const route = routeOf(operation.method, path.replace('{model}', 'm').replace(/\{\w+\}/, '1'));
      expect([path, route.kind === 'Model' ? route.action : route.kind]).toEqual([path, name]);
    }
  }
});

test('refers to nothing that is not there', () => {
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name]) => name,
  );
  expect(new Set(references)).toEqual(new Set(Object.keys(document.components.schemas)));
});

describe('a server', () => {
  let server: ServerProcess;
  let directory: string;
  beforeAll(async () => {
    await prepareTensorflow();
    const models = [
      { name: 'half_plus_two', uri: fixture('half-plus-two'), labels: { stable: 123 } },
      { name: 'seasonal', uri: fixture('seasonal') },
    ];
    directory = await mkdtemp(join(tmpdir(), 'aicity-test-'));
    await writeFile(join(directory, 'models.json'), JSON.stringify({ models }));
    server = await startServer([
      '--config',
      join(directory, 'models.json'),
      '--port',
      '0',
      '--host',
      '127.0.0.1',
    ]);
    await server.ready();
  }, 30 * 60_000);
  afterAll(async () => {
    await killServers();
    await rm(directory, { recursive: true });
  });

  test('serves it', async () => {
    expect(await (await fetch(`${server.url}/openapi.json`)).json()).toEqual(
      JSON.parse(
        JSON.stringify(
          openApiDocument(
            (await import('../../../../package.json', { with: { type: 'json' } })).default.version,
          ),
        ),
      ),
    );
  });

  // Loading comes last: while a model is loaded again the others are answered as before, but it is slow.
  const ordered = requests.toSorted(
    (a, b) => Number(a.path.includes('repository')) - Number(b.path.includes('repository')),
  );
  test.each(ordered.map((each) => [`${each.method} ${each.path} ${each.example}`, each] as const))(
    '%s',
    async (_, { path, method, operation, value }) => {
      const name = operation.operationId.replace(/Of(Version|Label)$/, '') as OperationName;
      const target = path
        .replace('{model}', 'half_plus_two')
        .replace('{version}', '123')
        .replace('{label}', 'stable');
      const answer = await fetch(`${server.url}${target}`, {
        method: method.toUpperCase(),
        ...(value === undefined ? {} : { body: JSON.stringify(value) }),
      });
      const text = await answer.text();
      expect([answer.status, text]).toEqual([200, expect.any(String)]);
      const { request, answer: schema } = EXCHANGES[name];
      if (request) expect(SCHEMAS[request].safeParse(value).error).toBeUndefined();
      const [type = ''] = Object.keys(operation.responses['200'].content);
      expect(answer.headers.get('content-type')).toContain(type);
      if (schema) expect(SCHEMAS[schema as SchemaName].safeParse(JSON.parse(text)).error).toBeUndefined();
      if (name === 'RepositoryUnload')
        await fetch(`${server.url}${target.replace('unload', 'load')}`, { method: 'POST' });
    },
  );
});
