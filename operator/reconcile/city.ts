/** Everything that keeps the model services of one cluster: local copies, triggers and the controller. */
import { Controller } from '../runtime/controller.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { type Copies, copiesIn } from './copies.ts';
import { GpuIndex } from './gpu-index.ts';
import { modelServiceReconcile } from './model-service.ts';
import type { ObserveSources } from './observe.ts';
import { StatusWriter } from './status-writer.ts';
import { createReflectors, createStores, type ReflectorTools, type Stores } from './stores.ts';
import { connectTriggers, type TriggerSources } from './triggers.ts';

export type CityCopies = Copies<Stores>;

/** The local copies; every replica of the operator keeps them, so that the next leader starts at once. */
export function cityCopies(tools: ReflectorTools): CityCopies {
  const stores = createStores(tools.log);
  return copiesIn(stores, createReflectors(stores, tools));
}

export interface CityTools
  extends ReflectorTools,
    Pick<ObserveSources, 'stores' | 'reports' | 'customMetrics' | 'settings'>,
    Pick<TriggerSources, 'forAll'> {
  readonly events: EventRecorder;
  /** Whether this cluster places services over cities; default false. */
  readonly isHub?: boolean;
  /** Reconciles in flight at once; default 16. They mostly wait for the API server. */
  readonly parallelism?: number;
}

/** The controller; only the leader runs it. */
export class City {
  readonly controller: Controller;
  readonly #tools: CityTools;

  constructor(tools: CityTools) {
    this.#tools = tools;
    const { stores } = tools;
    const statusWriter = new StatusWriter(tools);
    stores.modelServices.subscribe(({ before, after }) => {
      if (before && before.metadata.uid !== after?.metadata.uid) statusWriter.forget(before.metadata.uid);
    });
    const gpus = new GpuIndex(stores);
    this.controller = new Controller({
      parallelism: 16,
      ...tools,
      name: 'model-service',
      reconcile: modelServiceReconcile({ ...tools, gpus, statusWriter }),
    });
  }

  /** Looks at every service once, then at those that change, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { stores } = this.#tools;
    const disconnect = connectTriggers(this.#tools, (key) => this.controller.enqueue(key));
    for (const { metadata } of stores.modelServices.list()) {
      const { name, namespace } = metadata;
      this.controller.enqueue({ cluster: stores.modelServices.cluster, namespace, name });
    }
    await this.controller.run(signal);
    disconnect();
  }
}
