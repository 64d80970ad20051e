import {
  type KubeClient,
  KubeError,
  type KubeErrorKind,
  type RawRequest,
} from '../../../operator/kube/client.ts';
import type { KubeObject, ObjectName, UntypedObject } from '../../../operator/kube/objects.ts';
import type { Resource } from '../../../operator/kube/resources.ts';

/** What was asked: `apply Deployment traffic`, with the details that a test may look at. */
export interface Call {
  readonly what: string;
  readonly object?: UntypedObject;
  readonly options?: object | undefined;
}

/** A client that writes down what it is asked and answers as it is told; every other call fails the test. */
export class RecordingClient {
  readonly calls: Call[] = [];
  /** Objects that are there, by `Kind name`. */
  readonly existing = new Map<string, KubeObject>();
  /** What a call ends with, by `verb Kind name`. */
  readonly failures = new Map<string, unknown>();

  get client(): KubeClient {
    const unexpected = (name: string) => () => {
      throw new Error(`no call of ${name} was expected`);
    };
    return new Proxy(this as unknown as KubeClient, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        return typeof method === 'function' ? method.bind(target) : unexpected(String(name));
      },
    });
  }

  get asked(): string[] {
    return this.calls.map(({ what }) => what);
  }

  async get(resource: Resource, { name }: ObjectName): Promise<KubeObject> {
    this.#record(`get ${resource.kind} ${name}`);
    const found = this.existing.get(`${resource.kind} ${name}`);
    if (!found) throw failure('notFound');
    return found;
  }

  async create(resource: Resource, object: KubeObject): Promise<KubeObject> {
    const what = `${resource.kind} ${object.metadata.name}`;
    this.#record(`create ${what}`, { object: object as UntypedObject });
    if (this.existing.has(what)) throw failure('conflict', `${what} already exists`);
    return object;
  }

  async apply(
    resource: Resource,
    object: UntypedObject,
    options: { fieldManager: string },
  ): Promise<KubeObject> {
    const handover = options.fieldManager === 'aicity-operator' ? '' : ` as ${options.fieldManager}`;
    this.#record(`apply ${resource.kind} ${object.metadata.name}${handover}`, { object, options });
    const existing = this.existing.get(`${resource.kind} ${object.metadata.name}`);
    const { resourceVersion } = object.metadata;
    if (existing && resourceVersion && resourceVersion !== existing.metadata.resourceVersion) {
      throw failure('conflict', 'the object has been modified');
    }
    return object;
  }

  async delete(resource: Resource, { name }: ObjectName, options?: object): Promise<void> {
    this.#record(`delete ${resource.kind} ${name}`, { options });
  }

  async patchStatus(resource: Resource, object: UntypedObject, options: object): Promise<KubeObject> {
    this.#record(`status ${resource.kind} ${object.metadata.name}`, { object, options });
    return object;
  }

  async request({ method, path, body }: RawRequest): Promise<unknown> {
    this.#record(`${method} ${path}`, { options: body as object });
    return {};
  }

  #record(what: string, details: Omit<Call, 'what'> = {}): void {
    this.calls.push({ what, ...details });
    const error = this.failures.get(what);
    if (error !== undefined) throw error;
  }
}

export function failure(
  kind: KubeErrorKind,
  said = 'said by the server',
  retryAfterSeconds?: number,
): KubeError {
  const status = { notFound: 404, conflict: 409, terminal: 422, retry: 500 }[kind];
  const message = `PATCH /apis/apps/v1/x: ${said} (HTTP ${status})`;
  return new KubeError({ kind, status, reason: 'Test', message, retryAfterSeconds });
}
