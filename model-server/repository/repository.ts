/** From the address of a model to a verified directory on this machine. */
import type { ModelSource } from '../../crds/model-service.ts';
import { parseModelUri } from '../../crds/model-uri.ts';
import { type Clock, systemClock } from '../clock.ts';
import { openCache } from './cache.ts';
import type { DownloadLimits } from './download.ts';
import { fetchHttpModel } from './http-source.ts';
import { LoadError } from './load-error.ts';
import { lookAtLocalModel, openLocalModel } from './local-source.ts';

/** A model directory whose digest has been taken, and compared where one is pinned. */
export interface LocalModel {
  directory: string;
  /** As for `spec.model.digest`. */
  digest: string;
  /** The version directory it came from; absent when the address is one model. */
  version?: number;
  /** Whether it lies in the cache, where nobody else writes. */
  cached: boolean;
  /**
   * Called after the engine has read the files: what was read is what was verified.
   * @throws LoadError when a file came, went or was written to since the digest was taken.
   */
  assertUnchanged(): Promise<void>;
}

export interface Repository {
  /**
   * Finds or fetches the wanted model.
   * @param progress is told in a sentence what is going on.
   * @throws LoadError
   */
  fetch(source: ModelSource, progress: (sentence: string) => void, signal: AbortSignal): Promise<LocalModel>;
  /**
   * What `fetch` would choose now, where that can be known without fetching: on volumes and in the image.
   * `stamp` changes with the files. Undefined over http.
   * @throws LoadError
   */
  look(source: ModelSource): Promise<{ version?: number; stamp: string } | undefined>;
  /** Frees the cache of all models but these and the one before them. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

export interface RepositoryOptions {
  cacheDirectory: string;
  /** `pvc://CLAIM/PATH` is read from `${volumesDirectory}/CLAIM/PATH`. */
  volumesDirectory: string;
  maxModelBytes?: number;
  limits?: DownloadLimits;
  clock?: Clock;
}

export const DEFAULT_MAX_MODEL_BYTES = 64 * 2 ** 30;
const DEFAULT_LIMITS: DownloadLimits = { stallSeconds: 30, attempts: 5, firstPauseSeconds: 0.5 };

/** @throws LoadError when the cache directory cannot be written. */
export async function openRepository(options: RepositoryOptions): Promise<Repository> {
  const { cacheDirectory, volumesDirectory, clock = systemClock, limits = DEFAULT_LIMITS } = options;
  const maxModelBytes = options.maxModelBytes ?? DEFAULT_MAX_MODEL_BYTES;
  const cache = await openCache(cacheDirectory).catch((cause: NodeJS.ErrnoException) => {
    throw new LoadError(
      'AccessDenied',
      `the cache directory ${cacheDirectory} cannot be written (${cause.code}): give the server a writable directory`,
    );
  });
  const overHttp = (source: ModelSource) => {
    const { scheme } = parsedUri(source);
    return scheme === 'http' || scheme === 'https';
  };
  return {
    async fetch(source, progress, signal) {
      if (!overHttp(source)) return openLocalModel(source, volumesDirectory, signal);
      return fetchHttpModel(source, { cache, limits, maxModelBytes, clock, signal, progress });
    },
    async look(source) {
      return overHttp(source) ? undefined : lookAtLocalModel(source, volumesDirectory);
    },
    keep: (digests) => cache.keep(digests),
  };
}

function parsedUri(source: ModelSource): ReturnType<typeof parseModelUri> {
  try {
    return parseModelUri(source.uri);
  } catch (cause) {
    throw new LoadError('SourceNotFound', (cause as Error).message);
  }
}
