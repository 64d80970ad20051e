/** The IP addresses of the names in cities' endpoints, looked up again and again: names move. */
import { Resolver } from 'node:dns/promises';
import type { Logger } from 'pino';
import type { Clock } from '../../runtime/clock.ts';

/** @returns the addresses of a name; throws, or returns none, when they cannot be known now */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** Shorter than the time for which load balancers keep an address that they have left. */
const GOOD_FOR_SECONDS = 30;

export interface HostAddressTools {
  readonly clock: Clock;
  readonly log: Logger;
  /** Default: the name servers of the pod, for complete names. */
  readonly resolve?: Resolve;
}

export class HostAddresses {
  readonly #tools: HostAddressTools;
  readonly #known = new Map<string, { addresses: readonly string[]; atSeconds: number }>();

  constructor(tools: HostAddressTools) {
    this.#tools = tools;
  }

  /** As of the last look that found any. */
  of(name: string): readonly string[] | undefined {
    return this.#known.get(name)?.addresses;
  }

  /** Looks up what is not known, or not newly. Never throws; what cannot be found out stays as it was. */
  async look(names: readonly string[]): Promise<void> {
    const { clock, log, resolve = byNameServer } = this.#tools;
    const atSeconds = clock.monotonicSeconds();
    for (const [name, known] of this.#known) {
      // Nobody has asked for long: the name is out of use.
      if (atSeconds - known.atSeconds > 100 * GOOD_FOR_SECONDS) this.#known.delete(name);
    }
    const isOld = (name: string) =>
      (this.#known.get(name)?.atSeconds ?? Number.NEGATIVE_INFINITY) + GOOD_FOR_SECONDS <= atSeconds;
    await Promise.all(
      names.filter(isOld).map(async (name) => {
        try {
          const addresses = await resolve(name);
          if (addresses.length > 0) this.#known.set(name, { addresses: [...addresses].sort(), atSeconds });
        } catch (err) {
          log.warn({ err, name }, 'the name in the endpoint of a city cannot be resolved');
        }
      }),
    );
  }
}

/** How long until names should be looked up again. */
export const LOOK_AGAIN_SECONDS = GOOD_FOR_SECONDS;

async function byNameServer(name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const [first] = answers;
  if (found.length === 0 && first.status === 'rejected') throw first.reason;
  return found;
}
