/** The condition `Routed` of a service with spec.placement.route: whether a Gateway sends clients to all cities that serve. */
import type { ModelService } from '../../../crds/model-service.ts';
import type { Condition, LiveObject } from '../cluster-objects.ts';
import type { Verdict } from '../conditions/verdict.ts';
import { refusal } from '../ownership.ts';
import type { Outcome, Step } from '../target.ts';
import { listed, quoted } from '../wording.ts';
import type { LeftOut } from './routing.ts';

/** An HTTPRoute as far as it is read: what each controller of a Gateway says of it. */
export interface LiveRoute extends LiveObject {
  readonly status?: {
    readonly parents?: readonly {
      readonly parentRef: { readonly name: string; readonly namespace?: string };
      readonly conditions?: readonly Condition[];
    }[];
  };
}

export type RouteState =
  | { readonly kind: 'NoAPI' }
  | {
      readonly kind: 'Known';
      /** To which the route leads, in order. */
      readonly cities: readonly string[];
      readonly leftOut: readonly LeftOut[];
      readonly outcomes: readonly Outcome[];
      /** As it was before the outcomes; absent while it is not there. */
      readonly live?: LiveRoute;
    };

export function routedVerdict(service: ModelService, state: RouteState): Verdict {
  if (state.kind === 'NoAPI') {
    const message =
      'spec.placement.route asks for an HTTPRoute, and the API server of the hub does not serve gateway.networking.k8s.io/v1: install the Gateway API, or remove the field';
    return { status: 'False', reason: 'GatewayAPIMissing', message };
  }
  const { cities, leftOut, outcomes, live } = state;
  return problemWith(service, outcomes) ?? shortOf(cities, leftOut) ?? refusedBy(live) ?? ready(cities);
}

function problemWith(service: ModelService, outcomes: readonly Outcome[]): Verdict | undefined {
  for (const outcome of outcomes) {
    switch (outcome.kind) {
      case 'terminal': {
        const said = quoted(outcome.message);
        const message = `${nameOf(outcome.step)} is refused: ${said}; correct spec.placement.route`;
        return { status: 'False', reason: 'InvalidSpec', message };
      }
      case 'retry': {
        const said = quoted(outcome.message);
        const message = `${nameOf(outcome.step)} could not be written: ${said}; the operator tries again`;
        return { status: 'Unknown', reason: 'ApplyFailed', message };
      }
      case 'refused':
      case 'conflict': {
        const found = outcome.kind === 'conflict' ? outcome.found : undefined;
        const step = outcome.kind === 'refused' ? outcome.step : found && refusal(found, service);
        if (step) return { status: 'False', reason: step.reason, message: step.message };
        break;
      }
      case 'done':
      case 'ending':
        break;
    }
  }
  return undefined;
}

function shortOf(cities: readonly string[], leftOut: readonly LeftOut[]): Verdict | undefined {
  if (leftOut.length > 0) {
    const which = listed(leftOut.map(({ city, why }) => `${city}: ${why}`));
    const message = `ready replicas to which the route does not lead: ${which}`;
    return { status: 'False', reason: 'CityNotRoutable', message };
  }
  if (cities.length > 0) return undefined;
  const message = 'no city has a ready replica that clients can reach; the route answers 503';
  return { status: 'False', reason: 'NothingReady', message };
}

function refusedBy(live: LiveRoute | undefined): Verdict | undefined {
  const parents = live?.status?.parents ?? [];
  if (parents.length === 0) {
    const message =
      'no Gateway has answered for the HTTPRoute yet: is there one as spec.placement.route.parentRefs name it, and a controller for it?';
    return { status: 'Unknown', reason: 'RouteNotAccepted', message };
  }
  for (const { parentRef, conditions = [] } of parents) {
    const bad = conditions.find(({ type, status }) => TOLD.has(type) && status !== 'True');
    if (!bad) continue;
    const message = `Gateway ${parentRef.name}: ${bad.type} is ${bad.status}, ${quoted(bad.message)}`;
    return { status: bad.status, reason: 'RouteNotAccepted', message };
  }
  return undefined;
}

/** Condition types of the Gateway API that are True when all is well. */
const TOLD: ReadonlySet<string> = new Set(['Accepted', 'ResolvedRefs']);

function ready(cities: readonly string[]): Verdict {
  const message = `clients are sent to ${listed(cities)}`;
  return { status: 'True', reason: 'Routed', message };
}

function nameOf(step: Step): string {
  const { kind, name } =
    step.action === 'apply' ? { kind: step.object.kind, name: step.object.metadata.name } : step;
  return `${kind} ${name}`;
}
