/**
 * Import this first of all: it starts to read TensorFlow's library on a thread of its own, while JavaScript reads and
 * starts the rest of the server. When that cannot be done, the library is read when the first model is loaded. A process
 * that ends before the library has been read waits for it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadAddon, nativePackage } from './native-package.ts';

// What TensorFlow remarks upon, on some processors already when it is read, would stand between the lines of our own log.
// biome-ignore lint/style/noProcessEnv: TensorFlow asks for it there; nothing is read from it here.
process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';

try {
  const library = join(nativePackage(), 'deps', 'lib', 'libtensorflow_cc.so.2');
  if (existsSync(library)) {
    const { preload, wait } = loadAddon<{ preload(path: string): void; wait(): void }>('aicity_preload');
    preload(library);
    process.once('exit', wait);
  }
} catch {
  // Whoever loads a model says what is missing.
}
