/** The second vantage point: what other cities see of a city that the hub does not hear. */
import type { Vantage } from './standing.ts';

export interface View {
  readonly sees: boolean;
  /** On the hub's clock: when it was told, less the age that the city gave. */
  readonly atMs: number;
}

export interface Observer {
  readonly name: string;
  readonly isLate: boolean;
  readonly views: ReadonlyMap<string, View>;
}

/**
 * One city that sees it is enough to leave it alone; else one that looks and does not see it is enough to act. Where
 * nobody looks, the hub trusts its own ear as long as it hears at least half of the other cities: a hub that hears
 * fewer is more likely cut off itself.
 */
export function vantageOn(
  city: string,
  observers: readonly Observer[],
  nowMs: number,
  viewFreshMs: number,
): Vantage {
  const others = observers.filter(({ name }) => name !== city);
  const heard = others.filter(({ isLate }) => !isLate);
  let blind: string | undefined;
  for (const { name, views } of heard) {
    const view = views.get(city);
    if (!view || nowMs - view.atMs > viewFreshMs) continue;
    if (view.sees) return { sees: 'City', by: name };
    blind ??= name;
  }
  if (blind !== undefined) return { sees: 'Nothing', by: blind };
  return { sees: 'Unknown', isTrusted: heard.length * 2 >= others.length };
}
