/** The GPUs of the cluster, counted when somebody asks and something has changed since. */
import type { GpuSupply } from '../plan/gpu-supply.ts';
import type { Stores } from './stores.ts';

export class GpuIndex {
  readonly #stores: Pick<Stores, 'nodes' | 'pods'>;
  #supply: GpuSupply | undefined;

  constructor(stores: Pick<Stores, 'nodes' | 'pods'>) {
    this.#stores = stores;
    stores.nodes.subscribe(() => this.#forget());
    stores.pods.subscribe(({ before, after }) => {
      if (before?.claim || after?.claim) this.#forget();
    });
  }

  get supply(): GpuSupply {
    this.#supply ??= {
      nodes: this.#stores.nodes.list().map(({ node }) => node),
      claims: this.#stores.pods
        .list()
        .map(({ claim }) => claim)
        .filter((claim) => claim !== undefined),
    };
    return this.#supply;
  }

  #forget(): void {
    this.#supply = undefined;
  }
}
