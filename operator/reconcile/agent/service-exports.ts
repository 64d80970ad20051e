/** Keeps a ServiceExport for each service from the hub, where the city's API server knows that kind; else it does nothing. */
import { MANAGER } from '../../../crds/labels.ts';
import type { ModelService } from '../../../crds/model-service.ts';
import { isKubeError } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/objects.ts';
import { type Resource, resources } from '../../kube/resources.ts';
import { serviceExport } from '../../plan/agent/service-export.ts';
import { aborted } from '../../runtime/aborted.ts';
import { Controller, done, type ReconcileResult } from '../../runtime/controller.ts';
import { type Key, keyOf } from '../../runtime/key.ts';
import { Reflector } from '../../runtime/reflector.ts';
import { Store } from '../../runtime/store.ts';
import { type OptionalKindTools, whileServed } from '../optional-kind.ts';
import { OURS, type ReflectorTools } from '../stores.ts';

export interface ServiceExportTools extends ReflectorTools, OptionalKindTools {
  readonly modelServices: Store<ModelService>;
}

/** Only the leader runs it. */
export class ServiceExports {
  readonly #tools: ServiceExportTools;

  constructor(tools: ServiceExportTools) {
    this.#tools = tools;
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const versions = [resources.ServiceExport, SERVICE_EXPORT_ALPHA];
    await whileServed(versions, this.#tools, signal, (version, until) => this.#keep(version, until));
  }

  async #keep(resource: Resource, signal: AbortSignal): Promise<void> {
    const { log, modelServices, namespace } = this.#tools;
    const exports = new Store<KubeObject>({
      onError: (err) => log.error({ err }, 'a change could not be passed on'),
    });
    const selection = { labelSelector: OURS, ...(namespace ? { namespace } : {}) };
    const reflector = new Reflector({ ...this.#tools, resource, store: exports, selection });
    const controller = new Controller({
      ...this.#tools,
      name: 'service-export',
      reconcile: (key, until) => this.#reconcile(key, resource, exports, until),
    });
    const ends = [
      modelServices.subscribe(({ key }) => controller.enqueue(key)),
      exports.subscribe(({ key }) => controller.enqueue(key)),
    ];
    const begin = reflector.synced.then(async () => {
      for (const service of modelServices.list()) controller.enqueue(keyOf(service, modelServices.cluster));
      await controller.run(signal);
    });
    // A kind that has gone before it was read never fills the copy.
    await Promise.all([reflector.run(signal), Promise.race([begin, aborted(signal)])]);
    for (const end of ends) end();
  }

  /** An export belongs to its ModelService and goes with it. One that somebody else has made serves as well. */
  async #reconcile(
    key: Key,
    resource: Resource,
    exports: Store<KubeObject>,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const { client, log, modelServices } = this.#tools;
    const service = modelServices.get(key);
    const wanted = service && serviceExport(service, resource.apiVersion);
    // One of a predecessor is about to go, and calls again when it has.
    if (!wanted || exports.get(key)) return done;
    try {
      await client.create(resource, wanted, { fieldManager: MANAGER, signal });
      log.info({ service: `${key.namespace}/${key.name}` }, 'the Service is exported to the cluster set');
    } catch (error) {
      if (!isKubeError(error) || error.reason !== 'AlreadyExists') throw error;
      log.debug({ service: `${key.namespace}/${key.name}` }, 'somebody else exports the Service');
    }
    return done;
  }
}

const SERVICE_EXPORT_ALPHA: Resource = {
  ...resources.ServiceExport,
  apiVersion: 'multicluster.x-k8s.io/v1alpha1',
};
