/** TensorFlow.js on the native library that `node model-server/native/build.ts` gets ready. */
import { createRequire } from 'node:module';
import util from 'node:util';

// tfjs-node 4.22 calls two functions that newer versions of Node deprecate or lack.
Object.assign(util, {
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: Array.isArray,
});
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';

export const tf = createRequire(import.meta.url)(
  '@tensorflow/tfjs-node',
) as typeof import('@tensorflow/tfjs-node');
