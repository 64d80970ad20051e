/**
 * From zod to a structural OpenAPI v3 schema, the only form that a CustomResourceDefinition accepts
 * (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
 */
import * as z from 'zod';

export interface JsonSchema {
  [keyword: string]: unknown;
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  required?: string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  format?: string;
}

/** String formats that the API server knows; zod's others would be stored and ignored. */
const KNOWN_FORMATS = new Set(['date-time', 'int32', 'int64', 'uri']);

/**
 * @throws Error when the schema holds something that no structural schema can say (a union of objects, a tuple).
 */
export function structural(schema: z.ZodType): JsonSchema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    reused: 'inline',
    unrepresentable: 'throw',
  });
  return clean(json as JsonSchema, '');
}

function clean(node: JsonSchema, path: string): JsonSchema {
  const { anyOf, oneOf, additionalProperties, $schema, properties, items, format, ...kept } = node;
  const out: JsonSchema = { ...kept };
  if (oneOf) throw new Error(`${path || 'schema'}: oneOf is not structural; flatten it and add a CEL rule`);
  if (anyOf) {
    if (!isIntOrString(anyOf))
      throw new Error(`${path || 'schema'}: anyOf is not structural; flatten it and add a CEL rule`);
    out['x-kubernetes-int-or-string'] = true;
    delete out.type;
  }
  if (format && KNOWN_FORMATS.has(format)) out.format = format;
  if (out.type === 'integer') dropDefaultBounds(out);
  if (properties) {
    out.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, clean(property, `${path}.${name}`)]),
    );
  }
  if (items) out.items = clean(items, `${path}[]`);
  if (isSchema(additionalProperties)) {
    if (Object.keys(additionalProperties).length > 0)
      out.additionalProperties = clean(additionalProperties, `${path}.*`);
    else out['x-kubernetes-preserve-unknown-fields'] = true;
  }
  return out;
}

function isIntOrString(anyOf: JsonSchema[]): boolean {
  return (
    anyOf
      .map(({ type }) => type)
      .sort()
      .join() === 'integer,string'
  );
}

function isSchema(value: JsonSchema | boolean | undefined): value is JsonSchema {
  return typeof value === 'object';
}

/** zod states the range of its integer kinds; only bounds that somebody chose say anything to a reader. */
function dropDefaultBounds(node: JsonSchema): void {
  if (node.maximum === Number.MAX_SAFE_INTEGER || node.maximum === 2 ** 31 - 1) {
    node.format = node.maximum === Number.MAX_SAFE_INTEGER ? 'int64' : 'int32';
    delete node.maximum;
  } else node.format = 'int32';
  if (node.minimum === -Number.MAX_SAFE_INTEGER || node.minimum === -(2 ** 31)) delete node.minimum;
}
