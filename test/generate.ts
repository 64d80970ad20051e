/**
 * Writes every file that is derived from the contract: `npm run generate`. A test fails when one of them is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiReference, conditionReference } from '../crds/api-reference.ts';
import { definitionYaml } from '../crds/definition-yaml.ts';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Path from the repository's root → content. */
export function generatedFiles(): Map<string, string> {
  const crd = definitionYaml();
  return new Map([
    ['crds/modelservices.aicity.io.yaml', crd],
    ['docs/api.md', apiReference()],
    ['docs/conditions.md', conditionReference()],
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
