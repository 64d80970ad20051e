/**
 * Everything that anybody may do because this operator is installed: the one list that the chart's roles, the
 * permission tests and the documentation come from. A call that the operator makes belongs here with its reason;
 * a line that no call needs is a fault.
 */
import { AGENT_GRANTS } from './agent.ts';
import { CITY_LEVEL_GRANTS } from './city-level.ts';
import { HUB_GRANTS } from './hub.ts';
import { METRICS_ADAPTER_GRANTS, METRICS_ADAPTER_ROLES } from './metrics-adapter.ts';
import type { ExistingRole, Grant } from './permission.ts';

export const GRANTS: readonly Grant[] = [
  ...CITY_LEVEL_GRANTS,
  ...METRICS_ADAPTER_GRANTS,
  ...HUB_GRANTS,
  ...AGENT_GRANTS,
];

export const EXISTING_ROLES: readonly ExistingRole[] = METRICS_ADAPTER_ROLES;
