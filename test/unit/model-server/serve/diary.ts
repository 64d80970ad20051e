/** An engine and a repository that do nothing but remember what was asked of them. */
import type { Engine, EngineError, LoadedModel } from '../../../../model-server/engine/engine.ts';
import type { NamedTensors, Signature } from '../../../../model-server/protocol/tensor.ts';
import { LoadError } from '../../../../model-server/repository/load-error.ts';
import type { LocalModel, Repository } from '../../../../model-server/repository/repository.ts';

const signature: Signature = {
  name: 'serving_default',
  methodName: 'tensorflow/serving/predict',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2], tensorName: 'x:0' }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1], tensorName: 'y:0' }],
};

/** An engine that keeps a diary, and whose loads end when a test says so. */
export class DiaryEngine implements Engine {
  readonly diary: string[] = [];
  readonly died: Promise<EngineError>;
  die!: (error: EngineError) => void;
  loadFailure: EngineError | undefined;
  runFailure: EngineError | undefined;
  /** Grows by a hundred bytes with every load. */
  residentBytes = 1000;
  #gate: Promise<void> = Promise.resolve();

  constructor() {
    this.died = new Promise((resolve) => {
      this.die = resolve;
    });
  }

  /** Loads begun from now on wait for the returned call. */
  hold(): () => void {
    let open = () => {};
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  async load(id: string): Promise<LoadedModel> {
    this.diary.push(`load ${id}`);
    this.residentBytes += 100;
    await this.#gate;
    if (this.loadFailure) throw this.loadFailure;
    return {
      id,
      format: 'SavedModel',
      signatures: new Map([[signature.name, signature]]),
      loadSeconds: 1,
      remarks: [],
    };
  }

  async run(id: string, _signature: string, inputs: NamedTensors): Promise<NamedTensors> {
    const rows = inputs.get('x')!.shape[0]!;
    this.diary.push(`run ${id} ${rows}`);
    if (this.runFailure) throw this.runFailure;
    return new Map([['y', { datatype: 'FP32', shape: [rows, 1], data: new Float32Array(rows) }]]);
  }

  isSaturated(): boolean {
    return true;
  }

  async unload(id: string): Promise<void> {
    this.diary.push(`unload ${id}`);
  }

  stats() {
    return {
      busySeconds: 0,
      inFlight: 0,
      loadedModels: 0,
      tensorCount: 0,
      tensors: new Map<string, number>(),
      residentBytes: this.residentBytes,
    };
  }

  async close(): Promise<void> {}
}

/** Models that are at once there, save where a test says otherwise; by their addresses. */
export class ListedRepository implements Repository {
  readonly failures = new Map<string, string>();
  readonly stamps = new Map<string, string>();
  readonly listed = new Map<string, number[]>();

  async fetch({ uri, version }: { uri: string; version?: number | undefined }): Promise<LocalModel> {
    const failure = this.failures.get(version === undefined ? uri : `${uri}/${version}`);
    if (failure !== undefined) throw new LoadError('SourceNotFound', failure);
    return {
      ...{ directory: '/models', cached: false },
      digest: `sha256:${uri} ${version ?? ''} ${this.stamps.get(uri) ?? ''}`,
      ...(version === undefined ? {} : { version }),
      async assertUnchanged() {},
    };
  }

  async look(source: { uri: string; version?: number | undefined }) {
    const { digest: stamp, version } = await this.fetch(source);
    return { stamp, ...(version === undefined ? {} : { version }) };
  }

  async versions({ uri }: { uri: string }): Promise<number[]> {
    const failure = this.failures.get(uri);
    if (failure !== undefined) throw new LoadError('SourceNotFound', failure);
    return [...(this.listed.get(uri) ?? [])];
  }

  async keep(): Promise<void> {}
}
