/** A model's thread that loads anything and dies at its first run. */
import { parentPort } from 'node:worker_threads';

const specs = [{ name: 'x', datatype: 'FP32', shape: [-1], tensorName: 'x:0' }];
parentPort?.on('message', () => {
  throw new Error('out of luck');
});
parentPort?.postMessage({
  kind: 'Loaded',
  signature: { name: 'serving_default', inputs: specs, outputs: specs, methodName: '' },
  tensorCount: 0,
});
