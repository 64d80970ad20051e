/** Requests and limits of the model-server container. */
import type { ModelServiceSpec } from '../../crds/model-service.ts';

type Amounts = Readonly<Record<string, string>>;

/**
 * Reserved when the user says nothing: enough for a small model on the CPU, and a base for the share that CPU
 * autoscaling measures. There is no memory limit by default, since a good one depends on the model; without it the
 * kubelet evicts by priority when the node runs short.
 */
const DEFAULT_REQUESTS: Amounts = { cpu: '500m', memory: '1Gi' };

/**
 * The user's amounts, our defaults where there is neither a request nor a limit, and the GPUs. An amount with a limit
 * alone gets no default request, which could exceed it: the API server requests the limit.
 */
export function containerResources({ resources = {}, gpu }: Pick<ModelServiceSpec, 'resources' | 'gpu'>): {
  requests: Amounts;
  limits: Amounts;
} {
  const [requests, limits] = [texts(resources.requests), texts(resources.limits)];
  const defaults = Object.entries(DEFAULT_REQUESTS).filter(([name]) => !(name in limits));
  const gpus: Amounts = gpu.count > 0 ? { [gpu.resource]: String(gpu.count) } : {};
  return { requests: { ...Object.fromEntries(defaults), ...requests }, limits: { ...limits, ...gpus } };
}

/** A number of whole units is a valid quantity in JSON, but server-side apply knows quantities as texts only. */
function texts(amounts: Readonly<Record<string, string | number>> = {}): Amounts {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)]));
}
