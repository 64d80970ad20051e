/** The session add-on (`native/session.cc`) as TypeScript sees it. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { EngineError } from './engine.ts';

/** Opaque handles of the add-on. */
export type SessionHandle = object & { readonly brand: unique symbol };
export type CallableHandle = object & { readonly brand: unique symbol };

export interface SessionOutput {
  readonly shape: number[];
  /** Raw elements, or one byte string per element of a string tensor. */
  readonly data: ArrayBuffer | Uint8Array[];
}

export interface SessionAddon {
  readonly version: string;
  load(
    directory: string,
    tags: readonly string[],
    config: Uint8Array,
  ): Promise<{ session: SessionHandle; metaGraph: ArrayBuffer }>;
  prepare(session: SessionHandle, inputs: readonly string[], outputs: readonly string[]): CallableHandle;
  run(
    callable: CallableHandle,
    shapes: readonly (readonly number[])[],
    data: readonly unknown[],
  ): Promise<SessionOutput[]>;
  close(session: SessionHandle): Promise<void>;
}

const require = createRequire(import.meta.url);

/**
 * Loads TensorFlow's library into the process (some 0.3 s), once.
 * @throws EngineError Unavailable when the library was not built for this checkout or image.
 */
export function sessionAddon(): SessionAddon {
  const folder = dirname(require.resolve('@tensorflow/tfjs-node/package.json'));
  const file = join(folder, 'lib', 'napi-v8', 'aicity_session.node');
  try {
    return require(file) as SessionAddon;
  } catch (error) {
    throw new EngineError(
      'Unavailable',
      `native TensorFlow cannot be loaded: ${(error as Error).message}. Run \`node model-server/native/build.ts\` first`,
    );
  }
}
