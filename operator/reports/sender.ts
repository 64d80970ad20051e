/**
 * Which pod a report comes from, by the API server's word (TokenReview). Answers are kept for a minute at most, so
 * that ten thousand pods that report every other second cost the API server some hundred reviews a second less.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { REPORT_AUDIENCE } from '../../crds/pod-contract.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../runtime/clock.ts';
import { ExpiringMap } from './expiring-map.ts';
import { RateLimit } from './rate-limit.ts';
import { type Refused, refused } from './refusals.ts';
import { type TokenClaims, unprovenClaims } from './token.ts';

/** The pod that a token was proven to be bound to. */
export interface Sender {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
}

export interface SenderCheckOptions {
  readonly client: Pick<KubeClient, 'request'>;
  readonly clock: Pick<Clock, 'now' | 'monotonicSeconds'>;
  readonly log: Logger;
  /** Answers kept; default 20,000. */
  readonly capacity?: number;
  /** Reviews in flight at once; default 16. What comes on top is asked to come again. */
  readonly maxReviews?: number;
}

/** `status` of authentication.k8s.io/v1 TokenReview. */
interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly user?: {
      readonly username?: string;
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

const KEEP_SECONDS = 60;
/** A token is seldom refused by mistake, but a new pod can be faster than the API server's own caches. */
const KEEP_REFUSAL_SECONDS = 5;
const REVIEW_TIMEOUT_SECONDS = 5;
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

export class SenderCheck {
  readonly #options: SenderCheckOptions;
  readonly #answers: ExpiringMap<Sender | Refused>;
  readonly #inFlight = new Map<string, Promise<Sender | Refused>>();
  /** A pod needs one review a minute; all pods of a node may share one address. */
  readonly #reviewsOfAddress: RateLimit;
  readonly #complaints: RateLimit;

  constructor(options: SenderCheckOptions) {
    this.#options = options;
    const { clock, capacity = 20_000 } = options;
    this.#answers = new ExpiringMap(clock, capacity);
    this.#reviewsOfAddress = new RateLimit({ clock, perSecond: 20, burst: 200, capacity: 4096 });
    this.#complaints = new RateLimit({ clock, perSecond: 1 / 30, burst: 1 });
  }

  /**
   * @param address of the peer, to bound what one address can make us ask
   * @returns the pod, or why there is none; `Unavailable` is worth another try, all else needs another token
   */
  async senderOf(token: string, address: string): Promise<Sender | Refused> {
    const claims = unprovenClaims(token);
    if (!claims) return refused('TokenMalformed');
    if (!claims.audiences.includes(REPORT_AUDIENCE)) return refused('TokenAudience');
    if (!claims.isPodBound) return refused('TokenNotPodBound');

    const digest = createHash('sha256').update(token).digest('base64');
    const inFlight = this.#inFlight.get(digest);
    if (inFlight !== undefined) return inFlight;
    const known = this.#answers.get(digest);
    if (known && ('refusal' in known || this.#secondsLeft(claims) > 0)) return known;

    const waitSeconds = this.#reviewsOfAddress.take(address);
    if (waitSeconds > 0 || this.#inFlight.size >= (this.#options.maxReviews ?? 16)) {
      return { refusal: 'Unavailable', retryAfterSeconds: Math.max(1, Math.ceil(waitSeconds)) };
    }
    const review = this.#review(token, claims, digest).finally(() => this.#inFlight.delete(digest));
    this.#inFlight.set(digest, review);
    return review;
  }

  async #review(token: string, claims: TokenClaims, digest: string): Promise<Sender | Refused> {
    let answer: TokenReview;
    try {
      answer = await this.#options.client.request<TokenReview>({
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token, audiences: [REPORT_AUDIENCE] },
        },
        timeoutSeconds: REVIEW_TIMEOUT_SECONDS,
      });
    } catch (err) {
      // Not kept: the next report asks again.
      if (this.#complaints.take('') === 0)
        this.#options.log.warn({ err }, 'tokens of reports cannot be reviewed');
      return { refusal: 'Unavailable', retryAfterSeconds: 2 };
    }
    const secondsLeft = this.#secondsLeft(claims);
    const outcome = senderIn(answer) ?? refused(secondsLeft <= 0 ? 'TokenExpired' : 'TokenRejected');
    const keepSeconds = 'refusal' in outcome ? KEEP_REFUSAL_SECONDS : Math.min(KEEP_SECONDS, secondsLeft);
    this.#answers.set(digest, outcome, keepSeconds);
    return outcome;
  }

  #secondsLeft({ expiresAtSeconds }: TokenClaims): number {
    return expiresAtSeconds - this.#options.clock.now().getTime() / 1000;
  }
}

/** The pod in the API server's answer; undefined unless it vouches for the token, the audience and the pod. */
export function senderIn({ status }: TokenReview): Sender | undefined {
  if (status?.authenticated !== true || !status.audiences?.includes(REPORT_AUDIENCE)) return undefined;
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(status.user?.username ?? '') ?? [];
  const podName = status.user?.extra?.[POD_NAME]?.[0];
  const podUid = status.user?.extra?.[POD_UID]?.[0];
  // A service-account token is bound to a pod of the service account's own namespace only.
  return namespace && podName && podUid ? { namespace, podName, podUid } : undefined;
}
