/**
 * Kubernetes events (`kubectl describe`): short notes for people about one object. They never fail and never
 * block; repetitions become one event with a count, and one object cannot flood the API server.
 */
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import { NAMESPACE_TERMINATING } from '../kube/errors.ts';
import type { KubeObject, UntypedObject } from '../kube/objects.ts';
import { resourcePath, resources } from '../kube/resources.ts';
import type { Clock } from './clock.ts';
import { microTime } from './micro-time.ts';

export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, from a documented list. */
  readonly reason: string;
  /** What the operator did or tried, UpperCamelCase: `Reconcile`, `ScaleUp`. */
  readonly action: string;
  /** A sentence for people; cut at 1024 bytes. */
  readonly note: string;
}

export interface EventRecorder {
  record(regarding: KubeObject, event: EventNote): void;
  /** Resolves when everything recorded so far is written or given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** The controller's domain name: `aicity.io/operator`. */
  readonly reportingController: string;
  /** This process: the pod's name. */
  readonly reportingInstance: string;
}

/** An event that is repeated within this time of its last occurrence is counted, not written anew. */
const seriesSeconds = 360;
/** The count of a series is written at most this often. */
const countEverySeconds = 60;
/** Per object: so many new events at once, and then one per `refillSeconds` (client-go's spam filter). */
const burst = 25;
const refillSeconds = 300;
const mostRemembered = 4096;
const maxNoteBytes = 1024;
/** Written at once: thousands of notes must not keep the work waiting that they tell of. */
const mostWrites = 4;

interface Series {
  readonly namespace: string;
  readonly name: string;
  count: number;
  lastAtSeconds: number;
  lastTime: Date;
  cancelWrite: (() => void) | undefined;
}

interface Budget {
  tokens: number;
  atSeconds: number;
}

export class KubeEventRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #budgets = new Map<string, Budget>();
  readonly #writes = new Set<Promise<void>>();
  readonly #limit = pLimit(mostWrites);
  #serial = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  record(regarding: KubeObject, event: EventNote): void {
    const { clock, log } = this.#options;
    const { kind, metadata } = regarding;
    const subject = `${kind} ${metadata.namespace ?? ''}/${metadata.name} ${metadata.uid ?? ''}`;
    const id = JSON.stringify([subject, event.type, event.reason, event.action, event.note]);
    const nowSeconds = clock.monotonicSeconds();
    const series = this.#series.get(id);
    if (series && nowSeconds < series.lastAtSeconds + seriesSeconds) {
      this.#repeat(series, nowSeconds);
    } else if (this.#spend(subject, nowSeconds)) {
      this.#begin(id, regarding, event, nowSeconds);
    } else {
      log.debug({ subject, reason: event.reason }, 'event left out because its object has too many');
    }
  }

  async flush(): Promise<void> {
    for (const series of this.#series.values()) if (series.cancelWrite) this.#writeCount(series);
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }

  #begin(id: string, regarding: KubeObject, event: EventNote, nowSeconds: number): void {
    const { client, clock, reportingController, reportingInstance } = this.#options;
    const { apiVersion, kind, metadata } = regarding;
    const now = clock.now();
    this.#serial += 1;
    const namespace = metadata.namespace ?? 'default'; // where events of cluster-scoped objects live
    const stem = metadata.name.slice(0, 200).replace(/[-.]+$/, '');
    const name = `${stem}.${now.getTime().toString(16)}${this.#serial.toString(16)}`;
    remember(this.#series, id, {
      namespace,
      name,
      count: 1,
      lastAtSeconds: nowSeconds,
      lastTime: now,
      cancelWrite: undefined,
    });
    const object: UntypedObject = {
      metadata: { namespace, name },
      eventTime: microTime(now),
      reportingController,
      reportingInstance,
      type: event.type,
      reason: event.reason,
      action: event.action,
      note: cutBytes(event.note, maxNoteBytes),
      regarding: {
        apiVersion,
        kind,
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
      },
    };
    this.#write(() => client.create(resources.Event, object));
  }

  #repeat(series: Series, nowSeconds: number): void {
    series.count += 1;
    series.lastAtSeconds = nowSeconds;
    series.lastTime = this.#options.clock.now();
    series.cancelWrite ??= this.#options.clock.after(countEverySeconds, () => this.#writeCount(series));
  }

  #writeCount(series: Series): void {
    const { namespace, name, count, lastTime } = series;
    series.cancelWrite?.();
    series.cancelWrite = undefined;
    this.#write(() =>
      this.#options.client.request({
        method: 'PATCH',
        path: resourcePath(resources.Event, { namespace, name }),
        contentType: 'application/merge-patch+json',
        body: { series: { count, lastObservedTime: microTime(lastTime) } },
      }),
    );
  }

  #write(send: () => Promise<unknown>): void {
    const write = this.#limit(send)
      .then(
        () => {},
        (err: unknown) => {
          const isCalm = isKubeError(err) && err.reason === NAMESPACE_TERMINATING;
          this.#options.log[isCalm ? 'debug' : 'warn']({ err }, 'event cannot be written');
        },
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  /** Takes one token from the object's bucket; false when it is empty. */
  #spend(subject: string, nowSeconds: number): boolean {
    const { tokens, atSeconds } = this.#budgets.get(subject) ?? { tokens: burst, atSeconds: nowSeconds };
    const refilled = Math.min(burst, tokens + (nowSeconds - atSeconds) / refillSeconds);
    const isEnough = refilled >= 1;
    remember(this.#budgets, subject, { tokens: isEnough ? refilled - 1 : refilled, atSeconds: nowSeconds });
    return isEnough;
  }
}

/** Puts an entry last and drops the one that was touched longest ago when there are too many. */
function remember<V>(map: Map<string, V>, id: string, value: V): void {
  map.delete(id);
  map.set(id, value);
  const [oldest] = map.keys();
  if (map.size > mostRemembered && oldest !== undefined) map.delete(oldest);
}

/** The start of a text that fits in so many bytes of UTF-8, with an ellipsis where it was cut. */
export function cutBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  const ellipsis = '…';
  let end = maxBytes - Buffer.byteLength(ellipsis);
  while (end > 0 && (bytes[end]! & 0b1100_0000) === 0b1000_0000) end -= 1; // not inside a character
  return `${bytes.subarray(0, end).toString('utf8')}${ellipsis}`;
}
