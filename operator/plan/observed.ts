/** Everything that a plan is made from: plain data, gathered once by `reconcile/observe.ts`. */
import type { LoadReport } from '../../crds/load-report.ts';
import type { LiveObject, Pod } from './cluster-objects.ts';
import type { GpuSupply } from './gpu-supply.ts';

export interface Observed {
  /** RFC 3339 in whole seconds: the time of the observation. */
  readonly now: string;
  /** Objects that carry the service's labels or its owner reference, of every kind that a service consists of. */
  readonly children: readonly LiveObject[];
  /** Pods that carry the service's selector labels. */
  readonly pods: readonly Pod[];
  readonly reports: readonly ObservedReport[];
  /** False while the operator has only just begun to listen: silence of a replica means nothing yet. */
  readonly reportsSettled: boolean;
  readonly gpus: GpuSupply;
  readonly customMetrics: CustomMetricsOwner;
  readonly settings: Settings;
}

/** The newest report of one pod. */
export interface ObservedReport {
  readonly podUid: string;
  /** `Stale`: so old that nothing can be concluded from it. */
  readonly freshness: 'Fresh' | 'Stale';
  readonly report: LoadReport;
}

/** Who serves the group custom.metrics.k8s.io. */
export type CustomMetricsOwner =
  | { readonly kind: 'Ours' }
  /** `owner` says who, for a message: "monitoring/prometheus-adapter". */
  | { readonly kind: 'Other'; readonly owner: string };

/** What the installation decides for all services. */
export interface Settings {
  readonly operatorNamespace: string;
  /** Of the operator's pods, for reports. Its Service has another one, but network policies see the pod's. */
  readonly operatorPort: number;
  /** Where pods send their reports. */
  readonly reportUrl: string;
  /** PEM of the authorities that pods trust for the report URL. */
  readonly reportAuthorities: string;
  readonly image: string;
  readonly gpuImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
}
