/**
 * Looks at what is not here: whether a bucket has another version, and whether credentials have changed since they were
 * refused. Stores are asked at most every half minute, whoever asks how often, since every listing costs.
 */
import { createHash } from 'node:crypto';
import type { ModelSource } from '../../crds/model-service.ts';
import type { Clock } from '../clock.ts';
import type { SourceCredentials } from './credentials.ts';
import { LoadError } from './load-error.ts';

export interface Look {
  version?: number;
  stamp: string;
}

/** How old an answer may be to stand for a look that follows at once, before the load that it has led to. */
const SAME_LOOK_MILLISECONDS = 2_000;
const INTERVAL_MILLISECONDS = 30_000;

interface Seen {
  at: number;
  credentials: string;
  look: Look;
}

export class RemoteLooks {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();
  readonly #versions = new Map<string, number | undefined>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A model was fetched: that version is there until a listing says otherwise. */
  fetched(source: ModelSource, version: number | undefined): void {
    remember(this.#versions, keyOf(source), version);
  }

  /**
   * @param list asks the store; absent where there is nothing to list.
   * @returns undefined while there is no new answer.
   */
  async look(
    source: ModelSource,
    credentials: SourceCredentials,
    list: (() => Promise<Look | undefined>) | undefined,
  ): Promise<Look | undefined> {
    if (!list && source.credentialsSecretRef === undefined) return undefined;
    const key = keyOf(source);
    const known = this.#seen.get(key);
    const stamp = await stampOf(credentials);
    const now = this.#clock.monotonicMilliseconds();
    if (list && known && known.credentials === stamp) {
      if (now - known.at < SAME_LOOK_MILLISECONDS) return known.look;
      if (now - known.at < INTERVAL_MILLISECONDS) return undefined;
    }
    const listed = list && (await outcomeOf(list));
    const version = listed?.version ?? this.#versions.get(key);
    const look = { ...(version === undefined ? {} : { version }), stamp: `${stamp} ${listed?.stamp ?? ''}` };
    remember(this.#seen, key, { at: now, credentials: stamp, look });
    return look;
  }
}

/** Addresses that are remembered: more than any process serves versions. */
const MOST_REMEMBERED = 1000;

/** Forgets what was remembered first when there is too much. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MOST_REMEMBERED && oldest !== undefined) map.delete(oldest);
}

/** A refusal is something seen, too: when it ends, loading is tried again. */
async function outcomeOf(list: () => Promise<Look | undefined>): Promise<Look | undefined> {
  try {
    return await list();
  } catch (error) {
    if (error instanceof LoadError) return { stamp: `${error.reason} ${error.message}` };
    throw error;
  }
}

async function stampOf(credentials: SourceCredentials): Promise<string> {
  return createHash('sha256')
    .update(JSON.stringify(await credentials.read()))
    .digest('hex');
}

function keyOf({ uri, version, format }: ModelSource): string {
  return JSON.stringify([uri, version ?? null, format ?? null]);
}
