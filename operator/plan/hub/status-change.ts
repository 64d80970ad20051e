/** What differs between two statuses of a placed service, so that what moves all the time can wait. */
import type { ModelServiceStatus } from '../../../crds/model-service.ts';
import { canonicalJson } from '../canonical-json.ts';

/**
 * `FiguresOnly`: the load, over all cities or in one of them, or since when replicas are missing. All of these are known
 * anew to a hub that starts without having read them.
 */
export function placedChange(
  before: ModelServiceStatus | undefined,
  after: ModelServiceStatus,
): 'None' | 'FiguresOnly' | 'More' {
  if (canonicalJson(before) === canonicalJson(after)) return 'None';
  if (!before) return 'More';
  return canonicalJson(withoutFigures(before)) === canonicalJson(withoutFigures(after))
    ? 'FiguresOnly'
    : 'More';
}

function withoutFigures({ load: _, cities, placement, ...rest }: ModelServiceStatus): object {
  return {
    ...rest,
    cities: cities?.map(({ busyPercent: _busy, requestsPerSecond: _rate, ...city }) => city),
    placement: placement && {
      ...placement,
      shares: placement.shares?.map(({ missingSinceMs: _since, ...share }) => share),
    },
  };
}
