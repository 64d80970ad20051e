/** Local copies as a whole: kept up to date together, and filled when each of them is. */
import type { KubeObject } from '../kube/objects.ts';
import type { Reflector } from '../runtime/reflector.ts';

/** Every replica of the operator keeps them, so that the next leader starts at once. */
export interface Copies<Stores> {
  readonly stores: Stores;
  readonly reflectors: readonly Reflector<KubeObject>[];
  /** Keeps the copies up to date until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when every copy has been filled once. */
  readonly synced: Promise<void>;
}

export function copiesIn<Stores>(
  stores: Stores,
  reflectors: readonly Reflector<KubeObject>[],
): Copies<Stores> {
  return {
    stores,
    reflectors,
    async run(signal) {
      await Promise.all(reflectors.map((reflector) => reflector.run(signal)));
    },
    synced: Promise.all(reflectors.map(({ synced }) => synced)).then(() => {}),
  };
}
