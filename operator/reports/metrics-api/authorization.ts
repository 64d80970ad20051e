/** Whether a user may read a metric, by the API server's word (SubjectAccessReview), kept for some seconds. */
import { createHash } from 'node:crypto';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import { ExpiringMap } from '../expiring-map.ts';
import { METRICS_GROUP, type MetricsVersion } from './discovery.ts';
import type { UserInfo } from './request-header.ts';

export interface MetricAccess {
  /** Default: pods. */
  readonly resource?: string;
  readonly version: MetricsVersion;
  readonly namespace: string;
  /** A pod's name, or `*` for all that a selector finds. */
  readonly name: string;
  readonly metric: string;
}

const KEEP_SECONDS = 10;
const REVIEW_TIMEOUT_SECONDS = 5;
/** May do everything in every cluster, by definition; the API server's own checks come as this group. */
const UNLIMITED_GROUP = 'system:masters';

export class MetricAuthorizer {
  readonly #client: Pick<KubeClient, 'request'>;
  readonly #answers: ExpiringMap<boolean>;

  constructor({ client, clock }: { client: Pick<KubeClient, 'request'>; clock: Clock }) {
    this.#client = client;
    this.#answers = new ExpiringMap(clock, 1000);
  }

  /** @throws KubeError when the API server cannot be asked */
  async mayGet(user: UserInfo, access: MetricAccess): Promise<boolean> {
    if (user.groups.includes(UNLIMITED_GROUP)) return true;
    const spec = specOf(user, access);
    const key = createHash('sha256').update(JSON.stringify(spec)).digest('base64');
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const review = await this.#client.request<{ status?: { allowed?: boolean } }>({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec },
      timeoutSeconds: REVIEW_TIMEOUT_SECONDS,
    });
    const allowed = review.status?.allowed === true;
    this.#answers.set(key, allowed, KEEP_SECONDS);
    return allowed;
  }
}

/** The same attributes that the API server derives from the path: a GET of subresource `metric` of the named object. */
function specOf(
  { username, uid, groups, extra }: UserInfo,
  { resource = 'pods', version, namespace, name, metric }: MetricAccess,
) {
  return {
    user: username,
    ...(uid !== undefined && { uid }),
    groups,
    extra,
    resourceAttributes: {
      verb: 'get',
      group: METRICS_GROUP,
      version,
      namespace,
      resource,
      subresource: metric,
      name,
    },
  };
}
