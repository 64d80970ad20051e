/**
 * Import this first of all: it starts to read TensorFlow's library on a thread of its own, while JavaScript reads and
 * starts the rest of the server. When that cannot be done, the library is read when the first model is loaded. A process
 * that ends before the library has been read waits for it.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// What TensorFlow remarks upon, on some processors already when it is read, would stand between the lines of our own log.
// biome-ignore lint/style/noProcessEnv: TensorFlow asks for it there; nothing is read from it here.
process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';

try {
  const load = createRequire(import.meta.url);
  const folder = dirname(load.resolve('@tensorflow/tfjs-node/package.json'));
  const library = join(folder, 'deps', 'lib', 'libtensorflow_cc.so.2');
  const addon = join(folder, 'lib', 'napi-v8', 'aicity_preload.node');
  if (existsSync(library)) {
    const { preload, wait } = load(addon) as { preload(path: string): void; wait(): void };
    preload(library);
    process.once('exit', wait);
  }
} catch {
  // Whoever loads a model says what is missing.
}
