/** docs/api.md and docs/conditions.md, from the same schemas as the CRD. */
import { CONDITION_TYPES, REASONS } from './conditions.ts';
import { API_VERSION, ModelServiceSpec, ModelServiceStatus } from './model-service.ts';
import { type JsonSchema, structural } from './structural.ts';

const NOTE = '<!-- Generated from crds/*.ts by `npm run generate`. Do not edit. -->';

/** One table row per field, nested fields by their full path. */
export function apiReference(): string {
  const sections = [
    ['Spec', 'spec', structural(ModelServiceSpec)],
    ['Status', 'status', structural(ModelServiceStatus)],
  ] as const;
  return [
    NOTE,
    '# ModelService API reference',
    '',
    `\`apiVersion: ${API_VERSION}\`, \`kind: ModelService\`, short name \`ms\`, namespaced.`,
    ...sections.flatMap(([title, root, schema]) => [
      '',
      `## ${title}`,
      '',
      '| field | type | default | meaning |',
      '| --- | --- | --- | --- |',
      ...rows(root, schema),
      ...ruleLines(root, schema),
    ]),
    '',
  ].join('\n');
}

export function conditionReference(): string {
  const table = (head: string, entries: Record<string, string>) => [
    `| ${head} | meaning |`,
    '| --- | --- |',
    ...Object.entries(entries).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`),
  ];
  return [
    NOTE,
    '# Conditions and reasons',
    '',
    'Every condition of a ModelService has one of these types and one of these reasons; its message is a sentence.',
    '',
    ...table('type', CONDITION_TYPES),
    '',
    ...table('reason', REASONS),
    '',
  ].join('\n');
}

function rows(path: string, schema: JsonSchema): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const here = `${path}.${name}${field.type === 'array' ? '[]' : ''}`;
    const nested = field.items ?? field;
    const wanted = schema.required?.includes(name) ? ' (required)' : '';
    return [
      `| \`${here}\`${wanted} | ${typeName(field)} | ${defaultOf(field)} | ${cell(field.description ?? '')} |`,
      ...rows(here, nested),
    ];
  });
}

function typeName(field: JsonSchema): string {
  if (field['x-kubernetes-int-or-string']) return 'integer or string';
  if (field.enum) return field.enum.map((value) => `\`${value}\``).join(', ');
  if (field.type === 'array') return `list of ${field.items?.type ?? 'values'}`;
  if (typeof field.additionalProperties === 'object') return 'map';
  const bounds = [
    field.minimum !== undefined && `≥ ${field.minimum}`,
    field.maximum !== undefined && `≤ ${field.maximum}`,
  ];
  return [field.type ?? 'any', ...bounds.filter(Boolean)].join(' ');
}

function defaultOf(field: JsonSchema): string {
  return field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``;
}

function ruleLines(path: string, schema: JsonSchema): string[] {
  const rules = allRules(path, schema);
  return rules.length === 0
    ? []
    : ['', 'Refused by `kubectl apply`:', '', ...rules.map(([at, message]) => `- \`${at}\`: ${message}`)];
}

function allRules(path: string, schema: JsonSchema): [string, string][] {
  const own = (schema['x-kubernetes-validations'] ?? []) as { message: string }[];
  const nested = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    allRules(`${path}.${name}`, field),
  );
  return [
    ...own.map(({ message }): [string, string] => [path, message]),
    ...nested,
    ...(schema.items ? allRules(`${path}[]`, schema.items) : []),
  ];
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
