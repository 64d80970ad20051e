import { dump } from 'js-yaml';
import { modelServiceDefinition } from './custom-resource-definition.ts';
import { cityClusterDefinition, cityReportDefinition } from './region-definitions.ts';
import type { JsonSchema } from './structural.ts';

/** The CRDs as YAML, for `kubectl apply -f`: path → content. */
export function definitionFiles(): [string, string][] {
  return [modelServiceDefinition(), cityClusterDefinition(), cityReportDefinition()].map((definition) => [
    `crds/${(definition.metadata as { name: string }).name}.yaml`,
    yaml(definition),
  ]);
}

function yaml(definition: JsonSchema): string {
  return `# Generated from crds/*.ts by \`npm run generate\`. Do not edit.\n${dump(definition, { lineWidth: 120, noRefs: true })}`;
}
