/** Writes a status once, last, and only when it differs. Changes of the load alone can wait a little. */
import { MANAGER } from '../../crds/labels.ts';
import type { ModelService, ModelServiceStatus } from '../../crds/model-service.ts';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import type { UntypedObject } from '../kube/objects.ts';
import { resources } from '../kube/resources.ts';
import { notesFor } from '../plan/event-notes.ts';
import type { NextLook } from '../plan/next-look.ts';
import { statusChange } from '../plan/status.ts';
import type { Clock } from '../runtime/clock.ts';
import type { EventRecorder } from '../runtime/events.ts';

/** Between two writes of one status in which nothing but the load differs. */
const LOAD_EVERY_SECONDS = 5;

export interface StatusTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly events: EventRecorder;
}

export class StatusWriter {
  readonly #tools: StatusTools;
  /** Monotonic seconds of the last write, by the UID of the service. */
  readonly #wroteAt = new Map<string, number>();

  constructor(tools: StatusTools) {
    this.#tools = tools;
  }

  /**
   * Tells events when the write has succeeded.
   *
   * @returns when to look again, for a load that was not written yet
   * @throws KubeError
   */
  async write(
    service: ModelService,
    status: ModelServiceStatus,
    signal: AbortSignal,
  ): Promise<NextLook | undefined> {
    const change = statusChange(service.status, status);
    if (change === 'None') return undefined;
    const waitSeconds = change === 'LoadOnly' ? this.#waitSeconds(service) : 0;
    if (waitSeconds > 0) return { afterSeconds: waitSeconds, reason: 'the load has changed' };
    await this.#write(service, status, signal);
    return undefined;
  }

  /** Forgets a service that is gone. */
  forget(uid: string): void {
    this.#wroteAt.delete(uid);
  }

  #waitSeconds({ metadata }: ModelService): number {
    const wroteAt = this.#wroteAt.get(metadata.uid) ?? Number.NEGATIVE_INFINITY;
    return wroteAt + LOAD_EVERY_SECONDS - this.#tools.clock.monotonicSeconds();
  }

  async #write(service: ModelService, status: ModelServiceStatus, signal: AbortSignal): Promise<void> {
    const { client, clock, events } = this.#tools;
    const { apiVersion, kind, metadata } = service;
    const { name, namespace, uid } = metadata;
    const object: UntypedObject = { apiVersion, kind, metadata: { name, namespace, uid }, status };
    try {
      await client.patchStatus(resources.ModelService, object, {
        fieldManager: MANAGER,
        force: true,
        signal,
      });
    } catch (error) {
      // Deleted meanwhile, or deleted and made anew: nobody is left to be told.
      if (isKubeError(error, 'notFound') || isKubeError(error, 'conflict')) return;
      throw error;
    }
    this.#wroteAt.set(uid, clock.monotonicSeconds());
    for (const note of notesFor(service.status, status)) {
      events.record({ ...service, kind: 'ModelService' }, { ...note, action: 'Reconcile' });
    }
  }
}
