/**
 * Import before TensorFlow.js: its Node package calls two functions of `util` that Node has deprecated or removed. Upstream has
 * replaced the calls but never released that.
 */
import { createRequire } from 'node:module';

const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
util['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
// Still there in Node 24, with a warning on first use.
util['isArray'] = Array.isArray;
