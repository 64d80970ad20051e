import { EngineError } from '../engine/engine.ts';
import { LoadError } from '../repository/load-error.ts';

/** TensorFlow names a lack of memory in many ways; all of them have one of these words. */
const OUT_OF_MEMORY = /out of memory|OOM|bad_alloc|RESOURCE_EXHAUSTED|ResourceExhausted/i;

/** What made a load fail, with a reason of the closed list. */
export function loadErrorOf(cause: unknown): LoadError {
  if (cause instanceof LoadError) return cause;
  const { message } = cause as Error;
  if (OUT_OF_MEMORY.test(message)) {
    return new LoadError('OutOfMemory', `the model does not fit into memory: ${message}`);
  }
  if (cause instanceof EngineError && cause.kind === 'Unavailable') {
    return new LoadError('EngineFailed', message);
  }
  return new LoadError('ModelInvalid', message);
}
