import { dump } from 'js-yaml';
import { modelServiceDefinition } from './custom-resource-definition.ts';

/** The CRD as YAML, for `kubectl apply -f` and for the chart. */
export function definitionYaml(): string {
  return `# Generated from crds/*.ts by \`npm run generate\`. Do not edit.\n${dump(modelServiceDefinition(), { lineWidth: 120, noRefs: true })}`;
}
