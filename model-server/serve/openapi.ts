/** `/openapi.json`: OpenAPI 3.1 of everything in `routes.ts`. Pure. */
import * as z from 'zod';
import { EXCHANGES, type Exchange, SCHEMAS, type SchemaName } from './openapi-schemas.ts';
import { OPERATIONS, type Operation, type OperationName, pathsOf } from './routes.ts';

const JSON_TYPE = 'application/json';
const refer = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` });

/** @param version of the server. */
export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, operation] of Object.entries(OPERATIONS) as [OperationName, Operation][]) {
    for (const path of pathsOf(operation)) {
      paths[path] = { ...paths[path], [operation.method.toLowerCase()]: described(name, operation, path) };
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AICity model server',
      version,
      description:
        'TensorFlow Serving REST, KServe V1 and forecasts, and the Open Inference Protocol V2 with binary tensors.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas: Object.fromEntries(Object.keys(SCHEMAS).map((name) => [name, schemaOf(name)])) },
  };
}

function schemaOf(name: string): object {
  const { $schema: _, ...schema } = z.toJSONSchema(SCHEMAS[name as SchemaName], { io: 'input' });
  return schema;
}

function described(name: OperationName, { summary, query }: Operation, path: string): object {
  const exchange = EXCHANGES[name];
  const suffix = path.includes('{version}') ? 'OfVersion' : path.includes('{label}') ? 'OfLabel' : '';
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => ({
    ...{ name: parameter, in: 'path', required: true, schema: { type: 'string' } },
  }));
  const parameters = [...inPath, ...(query ? [{ ...query, in: 'query' }] : [])];
  return {
    operationId: `${name}${suffix}`,
    summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(exchange.request ? { requestBody: requestOf(name, exchange, exchange.request) } : {}),
    responses: { '200': answerOf(name, exchange), default: FAILURE },
  };
}

const FAILURE = {
  description: 'What is wrong, in a sentence; 429 and 503 say in Retry-After when to come back.',
  content: { [JSON_TYPE]: { schema: refer('Failure') } },
};

/** Raw bytes, alone or behind the JSON, as the binary tensor extension has them. */
const RAW = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };

function requestOf(name: OperationName, { examples = {} }: Exchange, request: SchemaName): object {
  const isOptional = name.startsWith('Repository');
  const shown = Object.fromEntries(Object.entries(examples).map(([key, value]) => [key, { value }]));
  return {
    required: !isOptional,
    content: {
      [JSON_TYPE]: { schema: refer(request), examples: shown },
      ...(name === 'V2Infer' ? RAW : {}),
    },
  };
}

function answerOf(name: OperationName, { answer }: Exchange): object {
  const content = answer
    ? { [JSON_TYPE]: { schema: refer(answer) } }
    : { 'text/plain': { schema: { type: 'string' } } };
  return { description: 'Done.', content: { ...content, ...(name === 'V2Infer' ? RAW : {}) } };
}
