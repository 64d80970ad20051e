import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { repository } from '../region/cache.ts';
import type { ServedModel } from './served-model.ts';

/** Where a city's node keeps it. */
const ROOT = '/srv/aicity-models';

/** A volume of models on the node, bound to a claim in the namespace of a model: what `pvc://CLAIM/PATH` reads. */
export class ModelVolume {
  readonly claim: string;
  readonly #model: ServedModel;
  readonly #directory: string;

  private constructor(model: ServedModel, claim: string) {
    this.#model = model;
    this.claim = claim;
    this.#directory = posix.join(ROOT, model.namespace, claim);
  }

  static async open(model: ServedModel, claim: string): Promise<ModelVolume> {
    const volume = new ModelVolume(model, claim);
    await model.city.exec(['mkdir', '-p', volume.#directory]);
    const name = `${model.namespace}-${claim}`;
    const size = { storage: '1Gi' };
    const shared = { storageClassName: '', accessModes: ['ReadOnlyMany'] };
    await model.city.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: { ...shared, capacity: size, hostPath: { path: volume.#directory, type: 'Directory' } },
      }),
    );
    await model.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: claim },
        spec: { ...shared, volumeName: name, resources: { requests: size } },
      }),
    );
    return volume;
  }

  /** Writes a model of this repository to the volume, complete under its final name at once. */
  async add(source: string, path: string): Promise<void> {
    const folder = join(repository, source);
    const target = posix.join(this.#directory, path);
    const writing = `${target}.writing`;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const there = posix.join(writing, file.slice(folder.length));
      const write = `mkdir -p "$(dirname "$0")" && base64 -d >"$0"`;
      await this.#model.city.exec(['sh', '-c', write, there], readFileSync(file).toString('base64'));
    }
    await this.#model.city.exec(['mv', writing, target]);
  }

  /** The namespace takes the claim with it; the volume and its files go here. */
  async close(): Promise<void> {
    const name = `${this.#model.namespace}-${this.claim}`;
    await this.#model.city.kubectl(['delete', 'pv', name, '--ignore-not-found', '--timeout=120s']);
    await this.#model.city.exec(['rm', '-rf', this.#directory]);
  }
}
