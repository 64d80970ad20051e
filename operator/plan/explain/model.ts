/** What the replicas themselves say about the model, and what follows when they say nothing. */
import type { LoadErrorReason } from '../../../crds/load-report.ts';
import type { Observed } from '../observed.ts';
import { TOKEN_EXPIRATION_SECONDS } from '../pod-volumes.ts';
import { secondsSince } from '../pods.ts';
import type { Replica } from '../replica.ts';
import { ofReplicas, quoted, replicaCount } from '../wording.ts';
import type { Check } from './finding.ts';

/** The wanted model cannot be served. Pods of the wanted template are asked first: older ones may lack a volume. */
export const modelFailed: Check = ({ replicas, revision, service, wanted }) => {
  const failing = replicas.filter(({ report }) => report?.error?.revision === revision);
  const asked = failing.some(({ updated }) => updated) ? failing.filter(({ updated }) => updated) : failing;
  const error = asked[0]?.report?.error;
  if (!error) return undefined;
  const same = failing.filter(({ report }) => report?.error?.reason === error.reason);
  const who = ofReplicas(same.length, wanted, 'cannot serve', 'cannot serve');
  const earlier = replicas.filter(
    ({ report }) => report?.serving && report.serving.revision !== revision,
  ).length;
  const meanwhile =
    earlier > 0
      ? `; ${replicaCount(earlier)} still ${earlier === 1 ? 'serves' : 'serve'} the earlier model`
      : '';
  return {
    about: 'Model',
    reason: error.reason satisfies LoadErrorReason,
    message: `${who} spec.model.uri ${service.spec.model.uri}: ${quoted(error.message)}${meanwhile}`,
  };
};

/** Replicas that should report and do not: neither well nor ill. */
export const replicasUnknown: Check = ({ replicas, observed, wanted }) => {
  const lost = replicas.filter(({ voice }) => voice === 'Lost');
  if (lost.length === 0) return undefined;
  const remedy =
    accountMadeAfter(lost, observed) ??
    `check that ${observed.settings.reportUrl} can be reached from the ${lost.length === 1 ? 'pod' : 'pods'}`;
  return {
    about: 'Model',
    reason: 'ReplicasUnknown',
    message: `${ofReplicas(lost.length, wanted, 'does not report', 'do not report')} (${namesOf(lost)}), so ${lost.length === 1 ? 'its' : 'their'} health is not known; ${remedy}`,
  };
};

/** Tokens are of one ServiceAccount, not of its name: those of before a new one are refused until they are renewed. */
function accountMadeAfter(lost: readonly Replica[], { children, now }: Observed): string | undefined {
  const younger = children.find(
    ({ kind, metadata: { creationTimestamp = '', name } }) =>
      kind === 'ServiceAccount' &&
      secondsSince(creationTimestamp, now) < TOKEN_EXPIRATION_SECONDS &&
      lost.every(
        ({ pod: { metadata, spec } }) =>
          spec?.serviceAccountName === name && (metadata.creationTimestamp ?? '') < creationTimestamp,
      ),
  );
  return younger
    ? `ServiceAccount ${younger.metadata.name} was deleted and made anew, so reports are refused until the kubelet renews the tokens, within ${TOKEN_EXPIRATION_SECONDS / 60} minutes; delete the pods to have it sooner`
    : undefined;
}

/** The model is on its way. */
export const modelLoading: Check = ({ replicas, revision, wanted }) => {
  const loading = replicas.filter(
    ({ report, verified }) => report && !verified && report.state !== 'Draining',
  );
  if (loading.length === 0) return undefined;
  const earlier = loading.filter(
    ({ report }) => report?.serving && report.serving.revision !== revision,
  ).length;
  const who = ofReplicas(loading.length, wanted, 'loads', 'load');
  const meanwhile = earlier > 0 ? `, ${earlier} of them while serving the earlier model` : '';
  return { about: 'Model', reason: 'ModelLoading', message: `${who} the wanted model${meanwhile}` };
};

/** Pods on their way up, of which nothing bad is known. */
export const podsStarting: Check = ({ replicas, unheard, wanted }) => {
  const missing = wanted - replicas.length;
  if (missing > 0) {
    const message = `${ofReplicas(missing, wanted, 'is', 'are')} about to be created`;
    return { about: 'Pods', reason: 'PodsStarting', message };
  }
  if (unheard <= 0) return undefined;
  return {
    about: 'Pods',
    reason: 'PodsStarting',
    message: `${ofReplicas(unheard, wanted, 'is', 'are')} starting`,
  };
};

/** More pods than wanted: the rest is finishing its requests. */
export const replicasDraining: Check = ({ observed, replicas, wanted }) => {
  const ending = observed.pods.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length;
  const extra = Math.max(0, replicas.length - wanted);
  if (wanted > 0 || ending + extra === 0) return undefined;
  return {
    about: 'Pods',
    reason: 'ReplicasDraining',
    message: `no replica is wanted; ${replicaCount(ending + extra)} ${ending + extra === 1 ? 'is' : 'are'} finishing the last requests`,
  };
};

function namesOf(replicas: readonly Replica[]): string {
  const names = replicas.map(({ pod }) => pod.metadata.name);
  return names.length > 3 ? `${names.slice(0, 3).join(', ')}, …` : names.join(', ');
}
