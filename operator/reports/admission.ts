/** Whether a report may count, once it is proven which pod sent it. Pure. */
import { LABELS, MANAGER } from '../../crds/labels.ts';
import { LoadReport } from '../../crds/load-report.ts';
import type { KubeObject } from '../kube/objects.ts';
import { type Refused, refused } from './refusals.ts';
import type { Sender } from './sender.ts';

/** The name of the ModelService that the sender serves, by the label of its pod. */
export function serviceOf(sender: Sender, pod: KubeObject | undefined): string | Refused {
  if (!pod || pod.metadata.uid !== sender.podUid) {
    return refused(
      'PodUnknown',
      `the API server knows no pod ${sender.namespace}/${sender.podName} of that uid`,
    );
  }
  const labels = pod.metadata.labels ?? {};
  const service = labels[LABELS.service];
  return labels[LABELS.managedBy] === MANAGER && service ? service : refused('PodNotOurs');
}

/** A body that was parsed as JSON, as a report; or the first thing that is wrong with it. */
export function reportIn(body: unknown): LoadReport | Refused {
  const parsed = LoadReport.safeParse(body);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  const found = path.reduce<unknown>(
    (value, step) => (value as Record<PropertyKey, unknown> | undefined)?.[step],
    body,
  );
  const field = path.length === 0 ? 'the report' : path.join('.');
  return refused('BadContent', `${field} is ${shown(found)}: ${message}`);
}

/** A pod speaks for itself only, and only for the service that it belongs to. */
export function claimsAnother(report: LoadReport, sender: Sender, service: string): Refused | undefined {
  const { namespace, name, uid } = report.pod;
  const isSender = namespace === sender.namespace && name === sender.podName && uid === sender.podUid;
  if (!isSender) return refused('OtherPod');
  if (report.service !== service) {
    return refused('OtherService', `the pod belongs to the ModelService ${service}, but reports for another`);
  }
  return undefined;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
