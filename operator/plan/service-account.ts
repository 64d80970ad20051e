import type { ModelService } from '../../crds/model-service.ts';
import { child } from './child.ts';
import type { DesiredObject } from './target.ts';

/** An identity that may do nothing; none is made when the user names one. */
export function serviceAccount(service: ModelService): DesiredObject | undefined {
  if (service.spec.podTemplate?.serviceAccountName) return undefined;
  return child(service, 'ServiceAccount', { automountServiceAccountToken: false });
}
