/** Pods that get no node. */
import { type GpuDemand, type GpuSituation, gpuSituation } from '../gpu-supply.ts';
import { conditionOf, unscheduledSince } from '../pods.ts';
import { gpuDemand } from '../rollout.ts';
import type { Situation } from '../situation.ts';
import { listed, ofReplicas, quoted } from '../wording.ts';
import type { Check } from './finding.ts';
import { remediesFor } from './scheduler-words.ts';

export const insufficientGpu: Check = (situation) => {
  const { observed, service, wanted } = situation;
  const waiting = unscheduled(situation);
  const demand = gpuDemand(service);
  if (waiting.length === 0 || !demand) return undefined;
  const held = observed.gpus.claims.filter(({ nodeName }) => nodeName !== undefined);
  const gpus = gpuSituation({ nodes: observed.gpus.nodes, claims: held }, demand);
  if (gpus.fits > 0) return undefined;
  const who = ofReplicas(waiting.length, wanted, 'waits', 'wait');
  return {
    about: 'Scheduling',
    reason: 'InsufficientGPU',
    message: `${who}: ${whatIsShort(gpus, demand, service.metadata.namespace)}`,
  };
};

export const unschedulable: Check = (situation) => {
  const waiting = unscheduled(situation);
  const [first] = waiting;
  if (!first) return undefined;
  const who = ofReplicas(waiting.length, situation.wanted, 'waits', 'wait');
  const words = quoted(conditionOf(first.pod, 'PodScheduled')?.message);
  const remedies = remediesFor(words, situation.service);
  const remedy = remedies.length > 0 ? `; ${remedies.join('; ')}` : '';
  return {
    about: 'Scheduling',
    reason: 'Unschedulable',
    message: `${who}: the scheduler finds no node (${words})${remedy}`,
  };
};

/** Pods that have a node which is not there: their kubelet says nothing, so they may or may not run. */
export const nodeLost: Check = ({ observed, replicas, wanted }) => {
  const away = replicas.filter(({ pod, ready }) => !ready && pod.spec?.nodeName !== undefined);
  if (away.length === 0) return undefined;
  const lostNodes = new Set(observed.gpus.nodes.filter(({ ready }) => !ready).map(({ name }) => name));
  const lost = away.filter(({ pod }) => lostNodes.has(pod.spec?.nodeName ?? ''));
  if (lost.length === 0) return undefined;
  const nodes = [...new Set(lost.map(({ pod }) => pod.spec?.nodeName ?? ''))];
  const where = nodes.length === 1 ? 'a node that is' : 'nodes that are';
  return {
    about: 'Pods',
    reason: 'ReplicasUnknown',
    message: `${ofReplicas(lost.length, wanted, 'is', 'are')} on ${where} not ready (${listed(nodes)}); others take over when Kubernetes gives the ${nodes.length === 1 ? 'node' : 'nodes'} up`,
  };
};

const unscheduled = ({ replicas }: Situation) =>
  replicas.filter(({ pod }) => unscheduledSince(pod) !== undefined);

function whatIsShort(
  gpus: GpuSituation,
  { count, resource, nodeSelector }: GpuDemand,
  namespace: string,
): string {
  const where = Object.entries(nodeSelector).map(([name, value]) => `${name}=${value}`);
  if (gpus.nodesAnywhere === 0) {
    const others = gpus.offered.length > 0 ? ` (they offer ${listed(gpus.offered)})` : '';
    return `no node offers ${resource}${others}; install its device plugin, choose another spec.gpu.resource, or set spec.gpu.count to 0 to serve on CPUs`;
  }
  if (gpus.nodes === 0) {
    const which = where.length > 0 ? ` with ${listed(where)}` : '';
    return `none of the ${gpus.nodesAnywhere} nodes that offer ${resource} is usable${which}: check labels, taints and whether they are ready`;
  }
  const among = where.length > 0 ? ` with ${listed(where)}` : '';
  if (count > gpus.largest) {
    return `no node${among} has ${count} ${resource}, the largest has ${gpus.largest}; lower spec.gpu.count`;
  }
  const amount = count === 1 ? 'a free' : `${count} free`;
  const used = `${gpus.total - gpus.free} of ${gpus.total} are used${usersOf(gpus, namespace)}`;
  return `no node${among} has ${amount} ${resource}; ${used}; scale one of them down or add a node`;
}

function usersOf({ users }: GpuSituation, own: string): string {
  if (users.length === 0) return '';
  const named = users.map(
    ({ namespace, user, devices }) => `${namespace === own ? user : `${namespace}/${user}`} (${devices})`,
  );
  return ` by ${listed(named)}`;
}
