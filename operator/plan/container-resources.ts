/** Requests and limits of the model-server container. */
import type { ModelServiceSpec } from '../../crds/model-service.ts';
import { DEFAULT_REQUESTS } from '../../crds/pod-fields.ts';

type Amounts = Readonly<Record<string, string>>;

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
