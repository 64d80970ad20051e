/** Where the native library and our add-ons to it are: in TensorFlow.js' package, put there by `native/build.ts`. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const load = createRequire(import.meta.url);

/** @throws Error when the package is not there. */
export function nativePackage(): string {
  return dirname(load.resolve('@tensorflow/tfjs-node/package.json'));
}

type Addon = 'aicity_session' | 'aicity_preload' | 'aicity_gpus';

/** @throws Error when the package is not there. */
export function addonPath(name: Addon): string {
  return join(nativePackage(), 'lib', 'napi-v8', `${name}.node`);
}

/** @throws Error when it has not been built, or cannot be loaded here. */
export function loadAddon<Exports>(name: Addon): Exports {
  return load(addonPath(name)) as Exports;
}
