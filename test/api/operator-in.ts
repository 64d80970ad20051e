/** The operator's reconcile in this process, against a real API server and limited to one namespace. */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import type { ServiceCondition } from '../../crds/conditions.ts';
import type { LoadReport } from '../../crds/load-report.ts';
import type { ModelService, ModelServiceStatus } from '../../crds/model-service.ts';
import { isKubeError } from '../../operator/kube/errors.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import { fromFile } from '../../operator/kube/kubeconfig.ts';
import type { KubeObject, UntypedObject } from '../../operator/kube/objects.ts';
import { type Resource, resources } from '../../operator/kube/resources.ts';
import { modelRevision } from '../../operator/plan/assignment.ts';
import type { CustomMetricsOwner, Settings } from '../../operator/plan/observed.ts';
import { cityCopies, City as OperatorCity } from '../../operator/reconcile/city.ts';
import type { Stores } from '../../operator/reconcile/stores.ts';
import { ReportRegistry } from '../../operator/reports/registry.ts';
import { systemClock as clock } from '../../operator/runtime/clock.ts';
import { KubeEventRecorder } from '../../operator/runtime/events.ts';
import { noMetrics } from '../../operator/runtime/metrics.ts';
import type { City } from '../region/city.ts';

const settings: Settings = {
  operatorNamespace: 'aicity-system',
  operatorPort: 9443,
  reportUrl: 'https://aicity-operator.aicity-system.svc/v1/reports',
  reportAuthorities: 'PEM',
  image: 'aicity/model-server:test',
  gpuImage: 'aicity/model-server-gpu:test',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
};

/** As often as real ones: a report is believed for ten seconds. */
const REPORT_EVERY_MS = 2_000;

/** An operator that is at work until `stop()`. */
export class TestOperator {
  readonly namespace: string;
  readonly client: HttpKubeClient;
  /** What the pods have reported; a new one after every restart. */
  registry = new ReportRegistry({ clock });
  /** Local copies of the operator that is at work. */
  stores!: Stores;
  readonly customMetrics: { owner: CustomMetricsOwner } = { owner: { kind: 'Ours' } };
  readonly #city: City;
  readonly #isHub: boolean;
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #lookAtAll = () => {};
  /** What the pods of a service report again and again, by its name. */
  readonly #voices = new Map<string, LoadReport[]>();
  #sequence = 0;
  #speaking: NodeJS.Timeout | undefined;

  private constructor(city: City, namespace: string, isHub: boolean) {
    this.#city = city;
    this.#isHub = isHub;
    this.namespace = namespace;
    this.client = new HttpKubeClient({ loadConfig: fromFile(city.kubeconfigPath) });
  }

  /** In a namespace of its own. @param isHub whether it leaves placed services to a hub that works beside it */
  static async start(city: City, prefix: string, { isHub = false } = {}): Promise<TestOperator> {
    const crd = readFileSync(new URL('../../crds/modelservices.aicity.io.yaml', import.meta.url), 'utf8');
    await city.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], crd);
    await city.kubectl([
      'wait',
      '--for=condition=Established',
      'crd/modelservices.aicity.io',
      '--timeout=30s',
    ]);
    const operator = new TestOperator(city, await city.freshNamespace(prefix), isHub);
    await operator.run();
    return operator;
  }

  /** Ends this operator's work and begins that of another one, which has heard no replica yet. */
  async restart(changed: Partial<Settings> = {}): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#stop = new AbortController();
    this.registry = new ReportRegistry({ clock });
    await this.run(changed);
  }

  async run(changed: Partial<Settings> = {}): Promise<void> {
    const log = pino({ level: process.env['AICITY_TEST_LOG'] ?? 'silent' });
    const tools = { client: this.client, clock, log, metrics: noMetrics, namespace: this.namespace };
    const events = new KubeEventRecorder({
      ...tools,
      reportingController: 'aicity.io/operator',
      reportingInstance: 'test',
    });
    const copies = cityCopies(tools);
    this.stores = copies.stores;
    const operator = new OperatorCity({
      ...tools,
      events,
      stores: copies.stores,
      isHub: this.#isHub,
      reports: this.registry,
      customMetrics: () => this.customMetrics.owner,
      settings: () => ({ ...settings, ...changed }),
      forAll: [
        (listener) => {
          this.#lookAtAll = listener;
          return () => {};
        },
      ],
    });
    this.registry.beginListening();
    const { signal } = this.#stop;
    const work = Promise.all([copies.run(signal), copies.synced.then(() => operator.run(signal))]);
    this.#running = work.then(() => events.flush());
    await copies.synced;
  }

  /** Looks at every service again, as if something had changed that concerns all. */
  lookAtAll(): void {
    this.#lookAtAll();
  }

  async stop(): Promise<void> {
    clearInterval(this.#speaking);
    this.#stop.abort();
    await this.#running;
    await this.client.close();
  }

  /** Server-side apply as a user. */
  async applyService(name: string, spec: object): Promise<void> {
    const object: UntypedObject = { metadata: { name, namespace: this.namespace }, spec };
    await this.client.apply(resources.ModelService, object, { fieldManager: 'user', force: true });
  }

  async get<T extends object = UntypedObject>(resource: Resource, name: string): Promise<T & KubeObject> {
    return await this.client.get<T & KubeObject>(resource, { name, namespace: this.namespace });
  }

  async exists(resource: Resource, name: string): Promise<boolean> {
    const found = await this.list(resource);
    return found.some(({ metadata }) => metadata.name === name);
  }

  async list(resource: Resource, labelSelector?: string): Promise<UntypedObject[]> {
    const { items } = await this.client.list<UntypedObject>(resource, {
      namespace: this.namespace,
      labelSelector,
    });
    return [...items];
  }

  async status(name: string): Promise<ModelServiceStatus> {
    return (await this.get<ModelService>(resources.ModelService, name)).status ?? {};
  }

  async condition(name: string, type: string): Promise<ServiceCondition | undefined> {
    return (await this.status(name)).conditions?.find((condition) => condition.type === type);
  }

  /** Waits until a condition has a reason, and returns it. */
  async untilReason(name: string, type: string, reason: string): Promise<ServiceCondition> {
    await this.until(`${type} of ${name} is ${reason}`, async () => {
      return (await this.condition(name, type))?.reason === reason;
    });
    return (await this.condition(name, type))!;
  }

  async until(what: string, check: () => Promise<boolean>): Promise<void> {
    await this.#city.until(what, 120, check);
  }

  /** A JSON merge patch as a person with kubectl would send it. */
  async patch(kind: string, name: string, patch: object): Promise<void> {
    const json = JSON.stringify(patch);
    await this.#city.kubectl(['patch', kind, name, '-n', this.namespace, '--type=merge', '-p', json]);
  }

  async kubectl(...args: string[]): Promise<string> {
    return await this.#city.kubectl([...args, '-n', this.namespace]);
  }

  /**
   * Plays kubelet and model server: every pod of the service is ready, and reports what it serves from now on, also
   * to the operator of after a restart.
   */
  async letPodsServe(name: string, uri: string): Promise<void> {
    const pods = await this.list(resources.Pod, `aicity.io/service=${name}`);
    const alive = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
    await Promise.all(alive.map((pod) => this.#makeReady(pod)));
    const reports = alive.map((pod) => reportOf(pod, name, uri));
    this.#voices.set(name, reports);
    this.#speak();
    this.#speaking ??= setInterval(() => this.#speak(), REPORT_EVERY_MS);
  }

  /** The pods of the service are still ready, and nothing is heard of them any more. */
  silencePods(name: string): void {
    this.#voices.delete(name);
  }

  #speak(): void {
    this.#sequence += 1;
    for (const report of [...this.#voices.values()].flat()) {
      this.registry.accept({ ...report, sequence: this.#sequence });
    }
  }

  /** One that is replaced at this moment may be gone already. */
  async #makeReady({ metadata: { name } }: KubeObject): Promise<void> {
    const conditions = ['PodScheduled', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: new Date().toISOString(),
    }));
    const metadata = { name, namespace: this.namespace };
    const pod: UntypedObject = { metadata, status: { phase: 'Running', conditions } };
    try {
      await this.client.patchStatus(resources.Pod, pod, { fieldManager: 'kubelet', method: 'merge' });
    } catch (error) {
      if (!isKubeError(error, 'notFound')) throw error;
    }
  }
}

function reportOf({ metadata }: KubeObject, service: string, uri: string): LoadReport {
  return {
    pod: { namespace: metadata.namespace!, name: metadata.name, uid: metadata.uid! },
    service,
    sequence: 0,
    startedAt: Date.now(),
    state: 'Serving',
    serving: {
      revision: modelRevision({ uri }),
      version: 3,
      format: 'SavedModel',
      digest: `sha256:${'a'.repeat(64)}`,
      lastInferenceAt: Date.now(),
    },
    load: {
      busyShare: 0.25,
      queued: 0,
      inFlight: 0,
      queueTimeMilliseconds: 0,
      requestsPerSecond: 4,
      rejectedPerSecond: 0,
      windowSeconds: 10,
    },
  };
}
