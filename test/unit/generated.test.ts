import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { generatedFiles, ROOT } from '../generate.ts';

test.each([...generatedFiles()])('%s is what `npm run generate` writes', (path, content) => {
  const file = join(ROOT, path);
  expect(existsSync(file) ? readFileSync(file, 'utf8') : 'missing').toBe(content);
});
