import { describe, expect, test } from '@jest/globals';
import { nowhere } from '../../../operator/plan/hub/route-objects.ts';
import { type LiveRoute, type RouteState, routedVerdict } from '../../../operator/plan/hub/routed.ts';
import type { DesiredObject, Outcome, Step } from '../../../operator/plan/target.ts';
import { placed } from './region.ts';

const service = placed({ placement: { route: { parentRefs: [{ name: 'public' }] } } });
const [object] = nowhere(service) as [DesiredObject, DesiredObject];
const step: Step = { action: 'apply', object, because: 'create' };

const parent = (type: string, status: 'True' | 'False' | 'Unknown', message = 'why') => ({
  parentRef: { name: 'public' },
  conditions: [
    { type: 'Accepted', status: 'True' as const },
    { type, status, message },
  ],
});
const route = (...parents: ReturnType<typeof parent>[]): LiveRoute => ({
  kind: 'HTTPRoute',
  metadata: { name: 'traffic', namespace: 'city' },
  status: { parents },
});
const good = parent('ResolvedRefs', 'True');
const known = (more: Partial<Extract<RouteState, { kind: 'Known' }>> = {}): RouteState => ({
  kind: 'Known',
  cities: ['faro', 'porto'],
  leftOut: [],
  outcomes: [{ kind: 'done', step }],
  live: route(good),
  ...more,
});
const failed = (outcome: Omit<Extract<Outcome, { kind: 'retry' | 'terminal' }>, 'step'>) =>
  known({ outcomes: [{ ...outcome, step }] });

describe('Routed', () => {
  test.each<[string, RouteState, string, string, string]>([
    ['all is well', known(), 'True', 'Routed', 'clients are sent to faro, porto'],
    ['there is no API', { kind: 'NoAPI' }, 'False', 'GatewayAPIMissing', 'gateway.networking.k8s.io/v1'],
    ['nothing is ready', known({ cities: [] }), 'False', 'NothingReady', 'the route answers 503'],
    [
      'a city is left out',
      known({ leftOut: [{ city: 'vigo', why: 'its endpoint is not http' }] }),
      'False',
      'CityNotRoutable',
      'vigo: its endpoint is not http',
    ],
    [
      'all that serve are left out',
      known({ cities: [], leftOut: [{ city: 'vigo', why: 'its endpoint is not http' }] }),
      'False',
      'CityNotRoutable',
      'vigo',
    ],
    [
      'no Gateway has answered',
      known({ live: route() }),
      'Unknown',
      'RouteNotAccepted',
      'no Gateway has answered',
    ],
    [
      'one Gateway of two refuses',
      known({ live: route(good, parent('ResolvedRefs', 'False', 'no such Service.')) }),
      'False',
      'RouteNotAccepted',
      'Gateway public: ResolvedRefs is False, no such Service',
    ],
    [
      'a Gateway says more than we know of',
      known({ live: route(parent('PartiallyInvalid', 'False')) }),
      'True',
      'Routed',
      'faro',
    ],
    [
      'an object is refused',
      failed({ kind: 'terminal', message: 'spec.hostnames: too many' }),
      'False',
      'InvalidSpec',
      'spec.hostnames: too many; correct spec.placement.route',
    ],
    [
      'an object cannot be written now',
      failed({ kind: 'retry', message: 'exceeded quota' }),
      'Unknown',
      'ApplyFailed',
      'exceeded quota; the operator tries again',
    ],
    [
      'somebody else has the name',
      known({
        outcomes: [
          {
            kind: 'conflict',
            step,
            message: '',
            found: { kind: 'HTTPRoute', metadata: { name: 'traffic', namespace: 'city' } },
          },
        ],
      }),
      'False',
      'NameConflict',
      'HTTPRoute city/traffic exists already',
    ],
  ])('when %s', (_, state, status, reason, message) => {
    const verdict = routedVerdict(service, state);
    expect(verdict).toMatchObject({ status, reason });
    expect(verdict.message).toContain(message);
  });
});
