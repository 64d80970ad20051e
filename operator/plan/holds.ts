/**
 * Whether a live object already says what we want. The API server adds defaults and spells quantities its own way, and
 * others may add fields and list items of their own; none of that is drift. What server-side apply would undo is.
 */
import { isSameQuantity } from './quantity.ts';

/** Fields whose members are quantities: 1000m there is the same as 1. */
const QUANTITY_FIELDS = new Set(['requests', 'limits', 'averageValue', 'sizeLimit']);

/** Lists whose items have owners of their own, so that somebody else's item among ours stays. */
const SHARED_LISTS = new Set([
  'containers',
  'env',
  'imagePullSecrets',
  'ownerReferences',
  'topologySpreadConstraints',
  'volumeMounts',
  'volumes',
]);

/** Maps that have one owner as a whole, so that a foreign key in one of ours is drift. */
const WHOLE_MAPS = new Set(['selector', 'podSelector', 'namespaceSelector', 'labelSelector', 'nodeSelector']);

/** True when `live` holds everything that `desired` says. */
export function holds(live: unknown, desired: unknown, field = ''): boolean {
  if (isOmitted(desired, live)) return true;
  if (Array.isArray(desired)) return Array.isArray(live) && holdsItems(live, desired, field);
  if (isRecord(desired)) return isRecord(live) && holdsFields(live, desired, field);
  if (desired === live) return true;
  return QUANTITY_FIELDS.has(field) && isScalar(live) && isScalar(desired) && isSameQuantity(live, desired);
}

function holdsFields(
  live: Record<string, unknown>,
  desired: Record<string, unknown>,
  field: string,
): boolean {
  if (WHOLE_MAPS.has(field) && Object.keys(live).some((name) => !(name in desired))) return false;
  const isQuantities = QUANTITY_FIELDS.has(field);
  return Object.entries(desired).every(([name, value]) =>
    holds(live[name], value, isQuantities ? field : name),
  );
}

function holdsItems(live: unknown[], desired: unknown[], field: string): boolean {
  if (SHARED_LISTS.has(field)) return desired.every((item) => live.some((other) => holds(other, item)));
  return live.length === desired.length && desired.every((item, at) => holds(live[at], item));
}

/**
 * The API server stores no empty strings, lists and objects and no `false` where nothing is meant. An empty list of a
 * field that every object has, such as the endpoints of an EndpointSlice, comes back as null.
 */
function isOmitted(desired: unknown, live: unknown): boolean {
  if (live !== undefined && live !== null) return false;
  if (desired === undefined || desired === false || desired === '') return true;
  return typeof desired === 'object' && desired !== null && Object.keys(desired).length === 0;
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
