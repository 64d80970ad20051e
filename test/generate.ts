/**
 * Writes every file that is derived from the contract: `npm run generate`. A test fails when one of them is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiReference, conditionReference } from '../crds/api-reference.ts';
import {
  chartDefaults,
  chartDefinition,
  chartHubDefinitions,
  chartMetadata,
  chartReference,
  chartSchema,
} from '../crds/chart-files.ts';
import { definitionFiles } from '../crds/definition-yaml.ts';
import { modelServerMetrics, modelServerReference } from '../model-server/reference.ts';
import { rbacTemplate } from '../operator/rbac/templates.ts';
import { metricReference } from '../operator/telemetry/metric-list.ts';
import { performanceReference } from './bench/performance-doc.ts';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Path from the repository's root → content. */
export function generatedFiles(): Map<string, string> {
  const { version, description } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  return new Map([
    ...definitionFiles(),
    ['charts/aicity-operator/templates/crds.yaml', chartDefinition()],
    ['charts/aicity-operator/templates/hub-crds.yaml', chartHubDefinitions()],
    ['charts/aicity-operator/templates/rbac.yaml', rbacTemplate()],
    ['charts/aicity-operator/values.yaml', chartDefaults(version)],
    ['charts/aicity-operator/values.schema.json', chartSchema(version)],
    ['charts/aicity-operator/Chart.yaml', chartMetadata(version, description)],
    ['docs/chart-values.md', chartReference(version)],
    ['docs/api.md', apiReference()],
    ['docs/conditions.md', conditionReference()],
    ['docs/metrics.md', `${metricReference()}\n${modelServerMetrics()}`],
    ['docs/performance.md', performanceReference()],
    ['docs/model-server.md', modelServerReference()],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, content] of generatedFiles()) {
    const file = join(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    console.log(`wrote ${path} (${readFileSync(file).length} bytes)`);
  }
}
