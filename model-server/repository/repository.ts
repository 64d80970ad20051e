/** From the address of a model to a verified directory on this machine. */
import type { ModelSource } from '../../crds/model-service.ts';
import { type ModelUri, parseModelUri } from '../../crds/model-uri.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { AwsKeysCache } from './aws-access.ts';
import {
  type Bucket,
  type BucketUri,
  fetchBucketModel,
  lookAtBucket,
  namesInBucket,
} from './bucket-source.ts';
import { openCache } from './cache.ts';
import { type CredentialOptions, sourceCredentials } from './credentials.ts';
import { withDeclaration } from './declaration.ts';
import type { GoogleTokens } from './google-access.ts';
import { gsBucket } from './gs.ts';
import { fetchHttpModel } from './http-source.ts';
import { LoadError } from './load-error.ts';
import { type LocalUri, lookAtLocalModel, namesAtLocal, openLocalModel } from './local-source.ts';
import { versionsIn } from './model-layout.ts';
import { fetchOciModel } from './oci-source.ts';
import type { TransferLimits } from './persistence.ts';
import { RemoteLooks } from './remote-looks.ts';
import type { RemoteContext } from './remote-source.ts';
import { s3Bucket } from './s3.ts';
import { TemporaryKeys } from './temporary.ts';

/** A model directory whose digest has been taken, and compared where one is pinned. */
export interface LocalModel {
  directory: string;
  /** As for `spec.model.digest`. */
  digest: string;
  /** The version directory it came from; absent when the address is one model. */
  version?: number;
  /** Whether it lies in the cache, where nobody else writes. */
  cached: boolean;
  /** Text of its `aicity.json`, if it has one. */
  declaration?: string;
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
   * What `fetch` would choose now, where that can be known without fetching: on volumes, in the image and in buckets,
   * which are not asked at every call. `stamp` changes with the files, and with the credentials where there are any.
   * @throws LoadError
   */
  look(source: ModelSource): Promise<{ version?: number; stamp: string } | undefined>;
  /**
   * Version directories at the address, lowest first; always asks.
   * @throws LoadError also when the address cannot be listed, or is one model without version directories.
   */
  versions(source: ModelSource): Promise<number[]>;
  /** Frees the cache of all models but these and the one before them. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

export interface RepositoryOptions {
  cacheDirectory: string;
  /** `pvc://CLAIM/PATH` is read from `${volumesDirectory}/CLAIM/PATH`. */
  volumesDirectory: string;
  /** Where the Secret of `spec.model.credentialsSecretRef` is mounted, and the variables that sources may know. */
  credentials?: Pick<CredentialOptions, 'directory' | 'variables'>;
  /** Registries (`HOST:PORT`) that speak HTTP without TLS. */
  plainHttpRegistries?: readonly string[];
  maxModelBytes?: number;
  limits?: TransferLimits;
  clock?: Clock;
}

export const DEFAULT_MAX_MODEL_BYTES = 64 * 2 ** 30;
const DEFAULT_LIMITS: TransferLimits = { stallSeconds: 30, attempts: 5, firstPauseSeconds: 0.5 };

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
  const contextOf = (source: ModelSource, signal: AbortSignal): RemoteContext => ({
    ...{ cache, limits, maxModelBytes, clock, signal, awsKeys, googleTokens },
    credentials: sourceCredentials({
      ...options.credentials,
      secretName: source.credentialsSecretRef?.name,
    }),
    progress: () => {},
  });
  const awsKeys: AwsKeysCache = new TemporaryKeys(clock);
  const googleTokens: GoogleTokens = new TemporaryKeys(clock);
  const looks = new RemoteLooks(clock);
  const never = new AbortController().signal;
  return {
    async fetch(source, progress, signal) {
      const uri = parsedUri(source);
      if (isLocal(uri)) return withDeclaration(await openLocalModel(source, volumesDirectory, signal));
      const context = { ...contextOf(source, signal), progress };
      const model = await fetchRemote(source, uri, options.plainHttpRegistries ?? [], context);
      looks.fetched(source, model.version);
      return withDeclaration(model);
    },
    async look(source) {
      const uri = parsedUri(source);
      if (isLocal(uri)) return lookAtLocalModel(source, volumesDirectory);
      // The next look is the second attempt.
      const context = { ...contextOf(source, never), limits: { ...limits, attempts: 1 } };
      const list = 'bucket' in uri ? () => lookAtBucket(source, uri, bucketOf(uri, context)) : undefined;
      return looks.look(source, context.credentials, list);
    },
    async versions(source) {
      const uri = parsedUri(source);
      const context = { ...contextOf(source, never), limits: { ...limits, attempts: 1 } };
      const names = isLocal(uri)
        ? await namesAtLocal(source, volumesDirectory)
        : 'bucket' in uri && (await namesInBucket(source, uri, bucketOf(uri, context)));
      if (names) return versionsIn(names, source.uri);
      throw new LoadError(
        'VersionNotFound',
        `${source.uri} cannot be listed over ${uri.scheme}: say which versions to serve, by their numbers`,
      );
    },
    keep: (digests) => cache.keep(digests),
  };
}

function isLocal(uri: ModelUri): uri is LocalUri {
  return uri.scheme === 'pvc' || uri.scheme === 'file';
}

function fetchRemote(
  source: ModelSource,
  uri: Exclude<ModelUri, LocalUri>,
  plainHttp: readonly string[],
  context: RemoteContext,
): Promise<LocalModel> {
  switch (uri.scheme) {
    case 'http':
    case 'https':
      return fetchHttpModel(source, context);
    case 's3':
    case 'gs':
      return fetchBucketModel(source, uri, bucketOf(uri, context), context);
    case 'oci':
      return fetchOciModel(source, uri, plainHttp, context);
  }
}

function bucketOf({ scheme, bucket }: BucketUri, context: RemoteContext): Bucket {
  return scheme === 's3' ? s3Bucket(bucket, context) : gsBucket(bucket, context);
}

function parsedUri(source: ModelSource): ReturnType<typeof parseModelUri> {
  try {
    return parseModelUri(source.uri);
  } catch (cause) {
    throw new LoadError('SourceNotFound', (cause as Error).message);
  }
}
