/**
 * TensorFlow.js on native TensorFlow. Only the TensorFlow.js thread may import this: an import loads the library and
 * a run holds up the thread that asks for it.
 */
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as Tensorflow from '@tensorflow/tfjs-node';

// tfjs-node 4.22 calls two functions that Node 23 removed (tensorflow/tfjs#8609); the mend was never released.
const legacy = util as unknown as Record<string, unknown>;
legacy['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
legacy['isArray'] ??= Array.isArray;

export const tensorflow = createRequire(import.meta.url)('@tensorflow/tfjs-node') as typeof Tensorflow;
