/** JSON merge patches: https://www.rfc-editor.org/rfc/rfc7386 */
import { canonicalJson } from '../canonical-json.ts';

/** @returns what makes `before` equal to `after`; undefined when it is already. Lists are replaced as a whole. */
export function mergePatch(before: unknown, after: unknown): unknown {
  if (canonicalJson(before) === canonicalJson(after)) return undefined;
  if (!isRecord(before) || !isRecord(after)) return after ?? null;
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const member = mergePatch(before[name], after[name]);
    if (member !== undefined) patch[name] = member;
  }
  return patch;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
