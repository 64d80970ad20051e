/** Looks at other cities where the hub says that they can be looked at. */
import { Agent as Connections } from 'undici';
import type { CityPeers, CityViews } from '../../../crds/region.ts';
import {
  isNews,
  LOOK_LIMIT_SECONDS,
  LOOKS_PER_HEARTBEAT,
  lookable,
  type PeerSight,
  viewsAt,
} from '../../plan/agent/peers.ts';
import type { Rhythm } from '../../plan/failover/rhythm.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface PeerLooksOptions {
  readonly city: string;
  readonly clock: Clock;
  readonly nowMs: () => number;
  readonly rhythm: () => Rhythm;
  readonly onNews: () => void;
}

export class PeerLooks {
  readonly #options: PeerLooksOptions;
  #peers: ReadonlyMap<string, string> = new Map();
  #sights: ReadonlyMap<string, PeerSight> = new Map();

  constructor(options: PeerLooksOptions) {
    this.#options = options;
  }

  /** As the hub has named them. */
  setPeers(peers: CityPeers): void {
    this.#peers = lookable(peers, this.#options.city);
  }

  views(): CityViews {
    return viewsAt(this.#sights, this.#options.nowMs());
  }

  /** Looks around until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, rhythm } = this.#options;
    while (!signal.aborted) {
      await this.#lookAround(signal);
      await clock.sleep(rhythm().heartbeatMs / 1000 / LOOKS_PER_HEARTBEAT, signal);
    }
  }

  async #lookAround(signal: AbortSignal): Promise<void> {
    const { nowMs, onNews } = this.#options;
    if (this.#peers.size === 0) {
      this.#sights = new Map();
      return;
    }
    const looks = [...this.#peers].map(async ([city, url]) => {
      const atMs = nowMs();
      return [city, { sees: await answers(url, signal), atMs }] as const;
    });
    const before = this.#sights;
    this.#sights = new Map(await Promise.all(looks));
    if (!signal.aborted && isNews(before, this.#sights)) onNews();
  }
}

/**
 * Whether anything answers in HTTP, whatever it says: nothing of the answer is read and no redirect is followed. Each look
 * is a connection of its own. Certificates are not checked, since what is asked is whether somebody is there.
 */
async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  const limit = LOOK_LIMIT_SECONDS * 1000;
  const connections = new Connections({
    connect: { timeout: limit, rejectUnauthorized: false },
    maxResponseSize: 1024,
    pipelining: 0,
  });
  try {
    const { origin, pathname, search } = new URL(url);
    const { body } = await connections.request({
      origin,
      path: `${pathname}${search}`,
      method: 'GET',
      headers: { 'user-agent': 'aicity-operator' },
      headersTimeout: limit,
      signal: AbortSignal.any([signal, AbortSignal.timeout(limit)]),
    });
    body.on('error', () => {});
    body.destroy();
    return true;
  } catch {
    return false;
  } finally {
    void connections.destroy().catch(() => {});
  }
}
