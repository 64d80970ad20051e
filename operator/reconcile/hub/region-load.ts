/** The load of placed services as their statuses show it, for autoscalers on the hub. */
import type { ModelService } from '../../../crds/model-service.ts';
import type { ServiceLoadLookup } from '../../reports/metrics-api/service-metrics.ts';
import type { Store } from '../../runtime/store.ts';

/** Nothing is known of a service while none of its cities is heard: an autoscaler then leaves it as it is. */
export function regionLoadIn(modelServices: Store<ModelService>): ServiceLoadLookup {
  return (namespace, name) => {
    const { spec, status } = modelServices.get({ cluster: '', namespace, name }) ?? {};
    const { busyPercent, queueTimeMilliseconds = 0, reportingReplicas = 0 } = status?.load ?? {};
    if (!spec?.placement || busyPercent === undefined || reportingReplicas === 0) return undefined;
    return { busyPercent, queueTimeMilliseconds, replicas: reportingReplicas };
  };
}
