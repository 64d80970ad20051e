/** One ModelService in a namespace of its own, as its owner and its clients see it. */
import { readFileSync } from 'node:fs';
import { dump, load } from 'js-yaml';
import type { ConditionType, ServiceCondition } from '../../crds/conditions.ts';
import { GROUP, type ModelService, type ModelServiceStatus } from '../../crds/model-service.ts';
import type { City } from '../region/city.ts';
import { OPERATOR_NAMESPACE, OPERATOR_SELECTOR } from '../region/installation.ts';

/** Fields as a person writes them: what is left out takes its default. */
export type Fields = Readonly<Record<string, unknown>>;

export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly restarts: number;
  readonly ready: boolean;
  /** On its way out, or finished. */
  readonly ending: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

const EXAMPLE = new URL('../../examples/traffic/traffic-model.yaml', import.meta.url);
const POLL_MILLISECONDS = 400;

export class ServedModel {
  readonly city: City;
  readonly namespace: string;
  /** Of the ModelService, and of the model in the inference protocols. */
  readonly name: string;
  /** Where it answers from this machine. */
  readonly url: string;

  private constructor(city: City, namespace: string, name: string, url: string) {
    this.city = city;
    this.namespace = namespace;
    this.name = name;
    this.url = url;
  }

  /** A new namespace that admits restricted pods only, and a way in from this machine; nothing is served yet. */
  static async open(city: City, prefix: string, name = 'traffic'): Promise<ServedModel> {
    const namespace = await city.freshNamespace(prefix);
    await city.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
    return await ServedModel.inNamespace(city, namespace, name);
  }

  /** Another one in a namespace that is there. */
  static async inNamespace(city: City, namespace: string, name: string): Promise<ServedModel> {
    const outside = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `${name}-outside`, namespace },
      spec: {
        type: 'NodePort',
        selector: { [`${GROUP}/service`]: name },
        ports: [{ port: 80, targetPort: 'http' }],
      },
    };
    await city.apply(JSON.stringify(outside));
    const path = 'jsonpath={.spec.ports[0].nodePort}';
    const port = await city.kubectl(['-n', namespace, 'get', 'service', `${name}-outside`, '-o', path]);
    return new ServedModel(city, namespace, name, await city.url(Number(port)));
  }

  /** `kubectl apply` of the traffic example with these fields of the spec in place of its own. */
  async apply(spec: Fields = {}): Promise<void> {
    const example = load(readFileSync(EXAMPLE, 'utf8')) as { metadata: Fields; spec: Fields };
    const manifest = {
      ...example,
      metadata: { ...example.metadata, name: this.name },
      spec: { ...example.spec, ...spec },
    };
    await this.applyText(dump(manifest));
  }

  /** `kubectl apply` of a manifest as it is. */
  async applyText(manifest: string): Promise<void> {
    await this.kubectl(['apply', '-f', '-'], manifest);
  }

  /** Edits fields of the spec; null removes one. */
  async edit(spec: Fields): Promise<void> {
    const patch = JSON.stringify({ spec });
    await this.kubectl(['patch', 'modelservice', this.name, '--type=merge', '--patch', patch]);
  }

  async get(): Promise<ModelService> {
    return JSON.parse(await this.kubectl(['get', 'modelservice', this.name, '-o', 'json'])) as ModelService;
  }

  /** Of the newest generation of the spec, or undefined until the operator has looked at it. */
  async status(): Promise<ModelServiceStatus | undefined> {
    const { metadata, status } = await this.get();
    return status?.observedGeneration === metadata.generation ? status : undefined;
  }

  /**
   * Waits until the status of the newest generation is as wanted. A look that fails is not yet the end: the API server
   * may be busy, or have been killed a moment ago.
   *
   * @throws Error with the conditions, the pods, events and logs when the time is up
   */
  async until(
    what: string,
    timeoutSeconds: number,
    wanted: (status: ModelServiceStatus, service: ModelService) => boolean,
  ): Promise<ModelServiceStatus> {
    const deadline = performance.now() + timeoutSeconds * 1000;
    for (;;) {
      const service = await this.get().catch(() => undefined);
      const status = service?.status;
      const isNewest = status?.observedGeneration === service?.metadata.generation;
      if (service && status && isNewest && wanted(status, service)) return status;
      if (performance.now() > deadline) {
        throw new Error(`"${what}" did not come true within ${timeoutSeconds} s\n${await this.evidence()}`);
      }
      await new Promise((later) => setTimeout(later, POLL_MILLISECONDS));
    }
  }

  /** Waits until this many replicas have answered, no other pods are left, no work goes on, and clients get in. */
  async untilReady(replicas: number, timeoutSeconds = 120): Promise<ModelServiceStatus> {
    const status = await this.until(`${replicas} replicas are ready`, timeoutSeconds, (status) =>
      isSettled(status, replicas),
    );
    if (replicas > 0) await this.untilReached();
    return status;
  }

  /** kube-proxy takes a moment to lead to a pod that has become ready. */
  async untilReached(): Promise<void> {
    await this.city.until(`${this.name} answers from outside`, 60, async () => {
      return (await fetch(`${this.url}/v2/health/ready`, { signal: AbortSignal.timeout(5_000) })).ok;
    });
  }

  /** All pods of the service by name, those on their way out too, but none that the kubelet turned away. */
  async pods(): Promise<PodFacts[]> {
    const selector = `${GROUP}/service=${this.name}`;
    const { items } = JSON.parse(await this.kubectl(['get', 'pods', '-l', selector, '-o', 'json'])) as {
      items: Pod[];
    };
    return items
      .filter((pod) => !wasTurnedAway(pod))
      .map(factsOf)
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /** The last lines of all of its pods. */
  async logs(lines = 40): Promise<string> {
    return await this.city.podLogs(this.namespace, `${GROUP}/service=${this.name}`, lines);
  }

  async kubectl(args: string[], input?: string): Promise<string> {
    return await this.city.kubectl(['-n', this.namespace, ...args], input);
  }

  /** What helps to understand why something did not come true. */
  async evidence(): Promise<string> {
    const looks: [string, Promise<string>][] = [
      ['status', this.get().then(({ status }) => dump(status ?? {}, { lineWidth: 200 }))],
      ['pods', this.kubectl(['get', 'pods', '-o', 'wide'])],
      ['events', this.kubectl(['get', 'events', '--sort-by=.lastTimestamp'])],
      ['model servers', this.logs(20)],
      ['operator', this.city.podLogs(OPERATOR_NAMESPACE, OPERATOR_SELECTOR, 25)],
    ];
    const texts = looks.map(async ([title, look]) => {
      const text = await look.catch((error: Error) => error.message);
      return `--- ${title}\n${text.split('\n').slice(-50).join('\n')}`;
    });
    return (await Promise.all(texts)).join('\n');
  }

  /** Deletes the namespace and waits until its pods have given back their GPUs; nobody asks them any more. */
  async close(): Promise<void> {
    const namespace = ['delete', 'namespace', this.namespace, '--ignore-not-found'];
    await this.city.kubectl([...namespace, '--wait=false']);
    await this.kubectl(['delete', 'pods', '--all', '--force', '--grace-period=0']);
    await this.city.kubectl([...namespace, '--timeout=120s']);
  }
}

interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string; labels: Record<string, string> };
  status: {
    phase?: string;
    reason?: string;
    containerStatuses?: { restartCount: number }[];
    conditions?: { type: string; status: string }[];
  };
}

/**
 * The scheduler may hear of new GPUs before the kubelet does, which then refuses the pod. Another takes its place, and it
 * stays as it is.
 */
function wasTurnedAway({ status: { phase, reason } }: Pod): boolean {
  return phase === 'Failed' && reason?.startsWith('OutOf') === true;
}

function factsOf({ metadata, status }: Pod): PodFacts {
  return {
    name: metadata.name,
    uid: metadata.uid,
    restarts: (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
    ready: status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    ending: metadata.deletionTimestamp !== undefined || /Succeeded|Failed/.test(status.phase ?? ''),
    labels: metadata.labels,
  };
}

/** The condition of this type, or undefined while nobody has judged it. */
export function conditionOf(
  { conditions }: Pick<ModelServiceStatus, 'conditions'>,
  type: ConditionType,
): ServiceCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Ready with exactly this many replicas, and nothing left to do. */
export function isSettled(status: ModelServiceStatus, replicas: number): boolean {
  return (
    conditionOf(status, 'Ready')?.status === 'True' &&
    conditionOf(status, 'Reconciling')?.status === 'False' &&
    (status.readyReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas
  );
}
