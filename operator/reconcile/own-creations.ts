/**
 * What was created a moment ago and is not in the local copies yet. Until it is, another look would only try to create
 * it again; the change that brings it, or the end of the patience, is when to look.
 */
import type { DesiredObject, Outcome } from '../plan/target.ts';
import type { Clock } from '../runtime/clock.ts';
import { keyOf, keyString } from '../runtime/key.ts';
import type { Stores } from './stores.ts';

/** A watch that lags by more is taken for one that will not bring the object. */
const PATIENCE_SECONDS = 5;

interface Awaited {
  readonly service: string;
  readonly untilSeconds: number;
}

export class OwnCreations {
  readonly #clock: Pick<Clock, 'monotonicSeconds'>;
  readonly #stores: Pick<Stores, 'children'>;
  /** By kind and key. */
  readonly #awaited = new Map<string, Awaited>();

  constructor({
    clock,
    stores,
  }: { clock: Pick<Clock, 'monotonicSeconds'>; stores: Pick<Stores, 'children'> }) {
    this.#clock = clock;
    this.#stores = stores;
    for (const [kind, store] of Object.entries(stores.children)) {
      store.subscribe(({ key }) => this.#awaited.delete(`${kind} ${keyString(key)}`));
    }
  }

  /** Takes note of what was created for a service. */
  note(serviceUid: string, outcomes: readonly Outcome[]): void {
    for (const { kind, step } of outcomes) {
      if (kind !== 'done' || step.action !== 'apply' || step.because !== 'create') continue;
      const store = this.#storeOf(step.object);
      const key = keyOf(step.object, store.cluster);
      // The watch can be faster than the answer.
      if (store.get(key)) continue;
      this.#awaited.set(`${step.object.kind} ${keyString(key)}`, {
        service: serviceUid,
        untilSeconds: this.#clock.monotonicSeconds() + PATIENCE_SECONDS,
      });
    }
  }

  /** How long to wait at most for what was created for this service; 0 when all of it has been seen. */
  secondsToWait(serviceUid: string): number {
    const now = this.#clock.monotonicSeconds();
    let longest = 0;
    for (const [id, { service, untilSeconds }] of this.#awaited) {
      if (untilSeconds <= now) this.#awaited.delete(id);
      else if (service === serviceUid) longest = Math.max(longest, untilSeconds - now);
    }
    return longest;
  }

  #storeOf({ kind }: DesiredObject) {
    return this.#stores.children[kind as keyof Stores['children']];
  }
}
