/** Which model the replicas serve. */
import type { ModelServiceStatus } from '../../crds/model-service.ts';
import type { Situation } from './situation.ts';

/**
 * The wanted revision, and version, format and digest of what answers now: what verified replicas serve, or, while there
 * is none, what the others do. Where replicas differ, the majority counts.
 */
export function servedModel(situation: Situation): NonNullable<ModelServiceStatus['model']> {
  const { observed, replicas, revision, service } = situation;
  const verified = replicas.filter((replica) => replica.verified);
  const asked = verified.length > 0 ? verified : replicas.filter(({ ready }) => ready);
  const served = asked.map(({ report }) => report?.serving).filter((serving) => serving !== undefined);
  const model = mostCommon(served, ({ version, digest }) => `${version} ${digest}`);
  if (!model && !observed.reportsSettled) return { ...service.status?.model, revision };
  if (!model) return { revision };
  const { version, format, digest } = model;
  return { revision, ...(version === undefined ? {} : { version: String(version) }), format, digest };
}

/** Of equally common ones, the one whose identity sorts first, so that the answer does not depend on the order. */
function mostCommon<T>(items: readonly T[], identity: (item: T) => string): T | undefined {
  const groups = Map.groupBy(items, identity);
  const [largest] = [...groups].sort(([a, as], [b, bs]) => bs.length - as.length || (a < b ? -1 : 1));
  return largest?.[1][0];
}
