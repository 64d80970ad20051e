/** Gathers what a plan is made from, out of the local copies. Reads only. */
import type { ModelService } from '../../crds/model-service.ts';
import type { LiveObject } from '../plan/cluster-objects.ts';
import type { GpuSupply } from '../plan/gpu-supply.ts';
import type { CustomMetricsOwner, Observed, ObservedReport, Settings } from '../plan/observed.ts';
import { CHILD_KINDS } from '../plan/target.ts';
import type { ReplicaReports } from '../reports/registry.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Store } from '../runtime/store.ts';
import { BY_OWNER, BY_SERVICE, type Stores } from './stores.ts';

export interface ObserveSources {
  readonly stores: Stores;
  readonly gpus: { readonly supply: GpuSupply };
  readonly reports: ReplicaReports;
  readonly customMetrics: () => CustomMetricsOwner;
  readonly settings: () => Settings;
  readonly clock: Clock;
}

export function observe(service: ModelService, sources: ObserveSources): Observed {
  const { stores, gpus, reports, customMetrics, settings, clock } = sources;
  const { name, namespace, uid } = service.metadata;
  return {
    now: `${clock.now().toISOString().slice(0, 19)}Z`,
    children: CHILD_KINDS.flatMap((kind) => childrenOf(stores.children[kind], service)),
    pods: stores.pods.by(BY_SERVICE, `${namespace}/${name}`),
    reports: reports.of(namespace, name).map(
      (replica): ObservedReport => ({
        podUid: replica.pod.uid,
        freshness: reports.isFresh(replica) ? 'Fresh' : 'Stale',
        report: replica.report,
      }),
    ),
    reportsSettled: reports.settled,
    /** Counted only for a plan that asks. */
    get gpus() {
      return gpus.supply;
    },
    customMetrics: customMetrics(),
    settings: settings(),
  };

  function childrenOf(store: Store<LiveObject>, { metadata }: ModelService): LiveObject[] {
    const labelled = store.by(BY_SERVICE, `${metadata.namespace}/${metadata.name}`);
    return [...new Set([...labelled, ...store.by(BY_OWNER, uid)])];
  }
}
