/**
 * What the leading hub wants and remembers of each service. A record changes with a look and counts from then on; it is
 * stored soon after (storing.ts), and what could not be stored is read back and decided again.
 */
import type { ModelService, ModelServiceSpec } from '../../../crds/model-service.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { fingerprint } from '../../plan/canonical-json.ts';
import type { Service, ServiceIntent, ServiceRecord } from '../../plan/failover/records.ts';
import { intentOf, serviceKey } from '../../plan/hub/intent.ts';
import { goneIntent, recalled } from '../../plan/hub/recall.ts';
import { serviceRecord } from '../../plan/hub/record-status.ts';
import { type LiveShare, readShare } from '../../plan/hub/share.ts';
import { parseKey } from '../../runtime/key.ts';
import type { Store } from '../../runtime/store.ts';
import type { HubClock } from './hub-clock.ts';
import { BY_SHARED, type HubStores } from './stores.ts';

interface Known {
  intent: ServiceIntent;
  /** False for a service that is gone, or not placed any more, and of which cities still have shares. */
  isPlaced: boolean;
  record: ServiceRecord | undefined;
  /** Both, as the last look had them. */
  shown?: Service;
  /** As it was last seen; still there when the service is gone while this hub runs. */
  spec: ModelServiceSpec | undefined;
  generation: number;
  /** Prints of `status.placement` that may be seen: the one that was seen last, and what was written since. */
  prints: string[];
}

export interface ServiceListener {
  /** To be looked at: its spec has changed, it has come or gone, or its record was lost. */
  serviceTouched(key: string): void;
  /** Its objects are not as they were: its status or its shares. @param object undefined for one that is gone */
  objectsChanged(key: string, object: KubeObject | undefined): void;
}

export class Services {
  readonly #known = new Map<string, Known>();
  readonly #modelServices: Store<ModelService>;
  readonly #shares: HubStores['shares'];
  readonly #clock: HubClock;
  readonly #listener: ServiceListener;

  constructor(options: {
    readonly modelServices: Store<ModelService>;
    readonly shares: HubStores['shares'];
    readonly clock: HubClock;
    readonly listener: ServiceListener;
  }) {
    this.#modelServices = options.modelServices;
    this.#shares = options.shares;
    this.#clock = options.clock;
    this.#listener = options.listener;
  }

  /** Begins with what is stored. The returned function ends it. */
  listen(): () => void {
    for (const service of this.#modelServices.list()) this.#see(serviceKey(service), service);
    for (const share of this.#shares.list()) this.#seeShare(readShare(share as never)?.key);
    const ends = [
      this.#modelServices.subscribe(({ key, after }) => this.#see(`${key.namespace}/${key.name}`, after)),
      this.#shares.subscribe(({ before, after }) => {
        const key = readShare((after ?? before) as never)?.key;
        this.#seeShare(key);
        if (key !== undefined) this.#listener.objectsChanged(key, after);
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  /** For a look. */
  all(): Service[] {
    return Array.from(this.#known.values(), (known) => {
      const { intent, record, shown } = known;
      if (shown?.intent === intent && shown.record === record) return shown;
      known.shown = record ? { intent, record } : { intent };
      return known.shown;
    });
  }

  *keys(): Iterable<string> {
    yield* this.#known.keys();
  }

  *intents(): Iterable<ServiceIntent> {
    for (const { intent, isPlaced } of this.#known.values()) if (isPlaced) yield intent;
  }

  intent(key: string): ServiceIntent | undefined {
    return this.#known.get(key)?.intent;
  }

  record(key: string): ServiceRecord | undefined {
    return this.#known.get(key)?.record;
  }

  /** Of the service, also when that is gone by now. */
  spec(key: string): ModelServiceSpec | undefined {
    return this.#known.get(key)?.spec;
  }

  get size(): number {
    return this.#known.size;
  }

  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** The object, as long as it is there and placed. */
  object(key: string): ModelService | undefined {
    return this.#known.get(key)?.isPlaced ? this.#modelServices.get(parseKey(key)) : undefined;
  }

  shares(key: string): LiveShare[] {
    return this.#shares
      .by(BY_SHARED, key)
      .map((share) => readShare(share as never))
      .filter((share) => share !== undefined);
  }

  decided(key: string, record: ServiceRecord): void {
    const known = this.#known.get(key);
    if (known) known.record = record;
  }

  /** A record is about to be written: it may be seen before the write is answered. @param placement as it is written */
  storing(key: string, placement: unknown): void {
    this.#known.get(key)?.prints.push(fingerprint(placement));
  }

  /** Forgets a service that is gone as soon as no city has anything of it. */
  forgetFinished(key: string): void {
    const known = this.#known.get(key);
    if (!known || known.isPlaced || this.#shares.by(BY_SHARED, key).length > 0) return;
    if ((known.record?.shares.size ?? 0) === 0) this.#known.delete(key);
  }

  #see(key: string, service: ModelService | undefined): void {
    const known = this.#known.get(key);
    const intent = service && intentOf(service);
    if (!service || !intent) {
      if (known?.isPlaced) {
        known.isPlaced = false;
        known.intent = goneIntent(key);
        this.#listener.serviceTouched(key);
      }
      return;
    }
    const { generation } = service.metadata;
    const placement = service.status?.placement;
    const print = fingerprint(placement);
    if (!known) {
      const record = this.#recalled(key, service);
      this.#known.set(key, {
        intent,
        isPlaced: true,
        record,
        spec: service.spec,
        generation,
        prints: [print],
      });
      this.#listener.serviceTouched(key);
      return;
    }
    const isNews = !known.isPlaced || known.generation !== generation;
    Object.assign(known, { isPlaced: true, generation, spec: service.spec });
    if (isNews) {
      known.intent = intent;
      this.#listener.serviceTouched(key);
    }
    this.#check(key, known, service, print);
  }

  /** What we have written is seen in the order of writing; anything else was written by somebody else. */
  #check(key: string, known: Known, service: ModelService, print: string): void {
    const at = known.prints.lastIndexOf(print);
    // Whatever else of the object has changed may call for another write.
    this.#listener.objectsChanged(key, service);
    if (at >= 0) {
      known.prints.splice(0, at);
      return;
    }
    known.prints = [print];
    const found = this.#recalled(key, service);
    // A service of the same name that was made anew goes on where the former one ended.
    if (found === undefined || found.epoch < (known.record?.epoch ?? 0)) return;
    known.record = found;
    this.#listener.serviceTouched(key);
  }

  #recalled(key: string, { status }: ModelService): ServiceRecord | undefined {
    const record = status?.placement && serviceRecord(key, status.placement, this.#clock.nowMs());
    return recalled(key, record, this.shares(key));
  }

  /** A share of a service that is not there: it is to be withdrawn. */
  #seeShare(key: string | undefined): void {
    if (key === undefined || this.#known.has(key)) return;
    const record = recalled(key, undefined, this.shares(key));
    if (!record) return;
    this.#known.set(key, {
      intent: goneIntent(key),
      isPlaced: false,
      record,
      spec: undefined,
      generation: 0,
      prints: [],
    });
    this.#listener.serviceTouched(key);
  }
}
