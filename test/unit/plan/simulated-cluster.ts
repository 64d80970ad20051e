/**
 * A cluster in small: the Deployment controller's rolling update as in k8s.io/kubernetes/pkg/controller/deployment
 * (rolling.go), a scheduler that knows GPUs, pods that take time to load and to end, and the plan at every tick.
 */

import type { ModelService } from '../../../crds/model-service.ts';
import type { Condition, Deployment, LiveObject, Pod } from '../../../operator/plan/cluster-objects.ts';
import type { GpuSupply } from '../../../operator/plan/gpu-supply.ts';
import type { Settings } from '../../../operator/plan/observed.ts';
import { plan } from '../../../operator/plan/plan.ts';
import type { Target } from '../../../operator/plan/target.ts';
import { afterSteps, claim, gpuNode, observedWith, podOf, reportFrom, settings } from './builders.ts';

export const TICK_SECONDS = 5;
const START = Date.parse('2026-03-01T12:00:00Z');

interface SimulatedPod {
  readonly name: string;
  readonly template: string;
  node: string | undefined;
  readonly createdAt: number;
  placedAt: number;
  /** When it will be gone. */
  endsAt: number | undefined;
}

export interface SimulationOptions {
  /** GPUs of each node. */
  readonly nodes: readonly number[];
  readonly loadTicks?: number;
  readonly endTicks?: number;
}

export class SimulatedCluster {
  readonly #options: Required<SimulationOptions>;
  #service: ModelService;
  #settings: Settings = settings;
  #children: LiveObject[] = [];
  #pods: SimulatedPod[] = [];
  /** Wanted pods by template, as the ReplicaSets say. */
  readonly #sizes = new Map<string, number>();
  /** GPUs by node that others hold. */
  readonly #others = new Map<string, number>();
  #tick = 0;
  #serial = 0;
  lastTarget: Target | undefined;

  constructor(service: ModelService, options: SimulationOptions) {
    this.#service = service;
    this.#options = { loadTicks: 2, endTicks: 1, ...options };
  }

  /** Changes the pods' image, or the service. */
  change({ image, service }: { image?: string; service?: ModelService }): void {
    if (image !== undefined) this.#settings = { ...this.#settings, image, gpuImage: image };
    if (service) this.#service = service;
  }

  /** Somebody else takes one GPU, if one is free. */
  othersTakeOne(): void {
    const node = this.#nodeNames().find((name) => this.#freeOn(name) > 0);
    if (node) this.#others.set(node, (this.#others.get(node) ?? 0) + 1);
  }

  get alive(): readonly SimulatedPod[] {
    return this.#pods.filter(({ endsAt }) => endsAt === undefined);
  }

  get available(): number {
    return this.alive.filter((pod) => this.#isReady(pod)).length;
  }

  get freeGpus(): number {
    return this.#nodeNames().reduce((sum, name) => sum + Math.max(0, this.#freeOn(name)), 0);
  }

  /** True when no node holds more than it has. */
  get isFeasible(): boolean {
    return this.#nodeNames().every((name) => this.#freeOn(name) >= 0);
  }

  /** Templates of the pods that are not on their way out. */
  get templates(): ReadonlySet<string> {
    return new Set(this.alive.map(({ template }) => template));
  }

  get isDone(): boolean {
    const wanted = this.lastTarget?.rollout.templateRevision;
    const { replicas = 0 } = this.#deployment()?.spec ?? {};
    return this.available === replicas && this.alive.every(({ template }) => template === wanted);
  }

  /** One round: the operator, the controllers, the scheduler, the kubelets. */
  step(beforeScheduling: () => void = () => {}): void {
    this.#tick += 1;
    this.#operate();
    this.#deploy();
    this.#replicate();
    beforeScheduling();
    this.#schedule();
    this.#pods = this.#pods.filter(({ endsAt }) => endsAt === undefined || endsAt > this.#tick);
  }

  /** Until nothing is left to do, at most `ticks` rounds; false when that was not enough. */
  run(ticks: number, onStep: () => void = () => {}): boolean {
    for (let round = 0; round < ticks; round += 1) {
      this.step();
      onStep();
      if (this.isDone) return true;
    }
    return false;
  }

  #operate(): void {
    const pods = this.#pods.map((pod) => this.#asPod(pod));
    const target = plan(
      this.#service,
      observedWith({
        now: this.#time(this.#tick),
        children: this.#children,
        pods,
        reports: pods.map((pod) => reportFrom(pod, this.#service)),
        gpus: this.#supply(),
        settings: this.#settings,
      }),
    );
    this.#children = afterSteps(this.#children, target.steps);
    this.lastTarget = target;
  }

  #deploy(): void {
    const { paused, replicas = 0, strategy, template } = this.#deployment()?.spec ?? {};
    const { maxSurge = 0, maxUnavailable = 0 } = (strategy?.rollingUpdate ?? {}) as Record<string, number>;
    const current = template?.metadata?.annotations?.['aicity.io/template-revision'] ?? '';
    const active = [...this.#sizes].filter(([, size]) => size > 0);
    if (paused || (active.length === 1 && active[0]![0] === current)) {
      // Scaling alone: the one active ReplicaSet follows; several keep what they have, which is enough for us.
      if (active.length === 1) this.#sizes.set(active[0]![0], replicas);
      return;
    }
    const total = () => [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
    const size = this.#sizes.get(current) ?? 0;
    const room = Math.max(0, replicas + maxSurge - total());
    this.#sizes.set(current, Math.min(replicas, size + room));
    const old = [...this.#sizes].filter(([revision, count]) => revision !== current && count > 0);
    const newUnavailable = this.#sizes.get(current)! - this.#availableOf(current);
    let most = total() - (replicas - maxUnavailable) - newUnavailable;
    for (const [revision, count] of old) {
      const cut = Math.max(0, Math.min(most, count - this.#availableOf(revision))); // unhealthy ones first
      this.#sizes.set(revision, count - cut);
      most -= cut;
    }
    let spare = Math.min(most, this.available - (replicas - maxUnavailable));
    for (const [revision] of old) {
      const count = this.#sizes.get(revision)!;
      const cut = Math.max(0, Math.min(spare, count));
      this.#sizes.set(revision, count - cut);
      spare -= cut;
    }
  }

  #replicate(): void {
    for (const [template, size] of this.#sizes) {
      const pods = this.alive.filter((pod) => pod.template === template);
      for (let missing = size - pods.length; missing > 0; missing -= 1) {
        this.#serial += 1;
        const name = `traffic-${String(this.#serial).padStart(3, '0')}`;
        this.#pods.push({
          name,
          template,
          node: undefined,
          createdAt: this.#tick,
          placedAt: 0,
          endsAt: undefined,
        });
      }
      const dispensable = [...pods].sort((a, b) => Number(this.#isReady(a)) - Number(this.#isReady(b)));
      for (const pod of dispensable.slice(0, Math.max(0, pods.length - size))) {
        pod.endsAt = this.#tick + (pod.node === undefined ? 0 : this.#options.endTicks);
      }
    }
  }

  #schedule(): void {
    const { count } = this.#service.spec.gpu;
    for (const pod of this.alive.filter(({ node }) => node === undefined)) {
      const node = this.#nodeNames().find((name) => this.#freeOn(name) >= count);
      if (node === undefined) continue;
      pod.node = node;
      pod.placedAt = this.#tick;
    }
  }

  #asPod(pod: SimulatedPod): Pod {
    const unscheduled: Condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      lastTransitionTime: this.#time(pod.createdAt),
    };
    return podOf(this.#service, {
      name: pod.name,
      templateRevision: pod.template,
      node: pod.node ?? null,
      ready: this.#isReady(pod),
      deleting: pod.endsAt !== undefined,
      conditions: pod.node === undefined ? [unscheduled] : [],
    });
  }

  #isReady({ node, placedAt }: SimulatedPod): boolean {
    return node !== undefined && this.#tick - placedAt >= this.#options.loadTicks;
  }

  #availableOf(template: string): number {
    return this.alive.filter((pod) => pod.template === template && this.#isReady(pod)).length;
  }

  #nodeNames(): string[] {
    return this.#options.nodes.map((_gpus, at) => `n${at}`);
  }

  #freeOn(node: string): number {
    const { count } = this.#service.spec.gpu;
    const ours = this.#pods.filter((pod) => pod.node === node).length * count;
    return this.#options.nodes[Number(node.slice(1))]! - ours - (this.#others.get(node) ?? 0);
  }

  #supply(): GpuSupply {
    const { count } = this.#service.spec.gpu;
    return {
      nodes: this.#options.nodes.map((gpus, at) => gpuNode(`n${at}`, gpus)),
      claims: [
        ...(count > 0 ? this.#pods.map(({ node }) => claim('traffic', node, count)) : []),
        ...[...this.#others].map(([node, held]) => claim('others', node, held)),
      ],
    };
  }

  #deployment(): Deployment | undefined {
    return this.#children.find((object): object is Deployment => object.kind === 'Deployment');
  }

  #time(tick: number): string {
    return new Date(START + tick * TICK_SECONDS * 1000).toISOString();
  }
}
