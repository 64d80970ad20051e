/**
 * The chart's generated files: its version, its values with comments, the schema that Helm checks, the table for
 * readers, and the CRD as a template.
 */
import { dump } from 'js-yaml';
import * as z from 'zod';
import { chartValues } from './chart-values.ts';
import { modelServiceDefinition } from './custom-resource-definition.ts';
import { cityClusterDefinition, cityReportDefinition } from './region-definitions.ts';
import type { JsonSchema } from './structural.ts';

const GENERATED = 'Generated from crds/*.ts by `npm run generate`. Do not edit.';
const NOTE = 'Generated from crds/chart-values.ts by `npm run generate`. Do not edit.';

/** Fields that a person never sets. */
const HIDDEN = new Set(['global']);

/** `Chart.yaml`; the chart and the operator have one version. */
export function chartMetadata(version: string, description: string): string {
  const chart = {
    apiVersion: 'v2',
    name: 'aicity-operator',
    description,
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.29.0-0',
  };
  return `# ${NOTE}\n${dump(chart)}`;
}

/** Kinds that only a hub has. Like the other they stay, and with them the region, when the chart goes. */
export function chartHubDefinitions(): string {
  const documents = [cityClusterDefinition(), cityReportDefinition()].map(definitionTemplate);
  return `# ${GENERATED}\n{{- if .Values.hub.enabled }}\n${documents.join('---\n')}{{- end }}\n`;
}

/**
 * The CRD as a template, so that `helm upgrade` upgrades it, which Helm never does for its `crds/` folder.
 * `helm uninstall` leaves it: deleting it would delete every ModelService.
 */
export function chartDefinition(): string {
  return `# ${GENERATED}\n${definitionTemplate(modelServiceDefinition())}`;
}

function definitionTemplate({ metadata, ...definition }: JsonSchema): string {
  const body = dump(definition, { lineWidth: 120, noRefs: true });
  if (body.includes('{{')) throw new Error('the CRD has {{ in it, which Helm would take for a template');
  const { name } = metadata as { name: string };
  return `metadata:
  name: ${name}
  labels:
    {{- include "aicity-operator.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
${body}`;
}

/** `values.schema.json`. Helm 3 and 4 both read this draft. */
export function chartSchema(version: string): string {
  const schema = z.toJSONSchema(chartValues(version), { target: 'draft-7', io: 'input' });
  return `${JSON.stringify({ $comment: NOTE, ...schema, title: 'Values of the chart aicity-operator' }, null, 2)}\n`;
}

/** `values.yaml`: every value with its meaning above it. */
export function chartDefaults(version: string): string {
  return `# ${NOTE}\n${yamlLines(schemaOf(version), 0).join('\n')}\n`;
}

/** docs/chart-values.md: one row per value. */
export function chartReference(version: string): string {
  return [
    `<!-- ${NOTE} -->`,
    '# Values of the chart',
    '',
    'Helm refuses any other value, and any value of another type, with the name of the field.',
    '',
    '| value | default | meaning |',
    '| --- | --- | --- |',
    ...tableRows(schemaOf(version), ''),
    '',
  ].join('\n');
}

function schemaOf(version: string): JsonSchema {
  return z.toJSONSchema(chartValues(version), { target: 'draft-7', io: 'input' }) as JsonSchema;
}

function fieldsOf(schema: JsonSchema): [string, JsonSchema][] {
  return Object.entries(schema.properties ?? {}).filter(([name]) => !HIDDEN.has(name));
}

function yamlLines(schema: JsonSchema, depth: number): string[] {
  const indent = '  '.repeat(depth);
  return fieldsOf(schema).flatMap(([name, field]) => {
    const comment = field.description ? [`${indent}# ${field.description}${choices(field)}`] : [];
    if (isGroup(field)) return [...comment, `${indent}${name}:`, ...yamlLines(field, depth + 1)];
    const value = dump({ [name]: field.default }, { flowLevel: 1, lineWidth: -1 }).trimEnd();
    return [...comment, `${indent}${value}`];
  });
}

function tableRows(schema: JsonSchema, prefix: string): string[] {
  return fieldsOf(schema).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    if (isGroup(field)) return tableRows(field, `${path}.`);
    return [`| \`${path}\` | \`${JSON.stringify(field.default)}\` | ${field.description}${choices(field)} |`];
  });
}

/** A group of values, unlike a map that is empty by default. */
const isGroup = (field: JsonSchema) => Object.keys(field.properties ?? {}).length > 0;

function choices(field: JsonSchema): string {
  return field.enum ? ` One of ${field.enum.join(', ')}.` : '';
}
