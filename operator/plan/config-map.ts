/** The ConfigMap that tells a starting pod what to serve, even while the operator is away. */
import type { ModelService } from '../../crds/model-service.ts';
import { CONFIG_MAP_KEYS } from '../../crds/pod-contract.ts';
import { assignmentOf } from './assignment.ts';
import { canonicalJson } from './canonical-json.ts';
import { child } from './child.ts';
import type { Settings } from './observed.ts';
import type { DesiredObject } from './target.ts';

export function configMap(service: ModelService, { reportAuthorities }: Settings): DesiredObject {
  return child(service, 'ConfigMap', {
    data: {
      [CONFIG_MAP_KEYS.assignment]: canonicalJson(assignmentOf(service)),
      [CONFIG_MAP_KEYS.ca]: reportAuthorities,
    },
  });
}
