import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ModelService } from '../../../crds/model-service.ts';
import type { Autoscaler, Deployment, LiveObject } from '../../../operator/plan/cluster-objects.ts';
import { plan } from '../../../operator/plan/plan.ts';
import { decideReplicas, guaranteedReplicas } from '../../../operator/plan/replicas.ts';
import { afterSteps, observedWith, onCpu, serviceWith } from './builders.ts';

const fixed = (replicas: number) => serviceWith({ ...onCpu, replicas });
const scaling = (replicas: number) => serviceWith({ ...onCpu, replicas, autoscaling: { maxReplicas: 9 } });
const fromHub = (service: ModelService): ModelService => ({
  ...service,
  metadata: { ...service.metadata, labels: { 'aicity.io/from-hub': 'true' } },
});
const live = (replicas: number, floor?: number): Deployment => ({
  kind: 'Deployment',
  metadata: {
    name: 'traffic',
    uid: 'u',
    resourceVersion: '7',
    annotations: floor === undefined ? {} : { 'aicity.io/autoscaling-floor': String(floor) },
  },
  spec: { replicas },
});
const handover = (replicas: number) => ({ replicas, uid: 'u', resourceVersion: '7' });

const autoscaler = (desiredReplicas?: number): Autoscaler => ({
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'traffic' },
  ...(desiredReplicas === undefined ? {} : { status: { desiredReplicas } }),
});

describe('who decides', () => {
  test.each([
    ['no Deployment yet', fixed(3), undefined, false, { decides: 'Spec', replicas: 3 }],
    ['no Deployment yet, autoscaling', scaling(3), undefined, false, { decides: 'Spec', replicas: 3 }],
    ['an edit', fixed(5), live(3), false, { decides: 'Spec', replicas: 5 }],
    ['an edit of the Deployment', fixed(3), live(9), false, { decides: 'Spec', replicas: 3 }],
    [
      'autoscaling is turned on',
      scaling(3),
      live(3),
      false,
      { decides: 'Autoscaler', floor: 3, replicas: 3, handover: handover(3) },
    ],
    [
      'the autoscaler has scaled',
      scaling(3),
      live(6, 3),
      true,
      { decides: 'Autoscaler', floor: 3, replicas: 6 },
    ],
    [
      'the floor was raised above the present number',
      scaling(5),
      live(3, 3),
      true,
      { decides: 'Autoscaler', floor: 5, replicas: 5, handover: handover(5) },
    ],
    [
      'on again after zero',
      scaling(1),
      live(0),
      false,
      { decides: 'Autoscaler', floor: 1, replicas: 1, handover: handover(1) },
    ],
    [
      'scaled to zero by hand under an autoscaler',
      scaling(2),
      live(0, 2),
      true,
      { decides: 'Autoscaler', floor: 2, replicas: 2, handover: handover(2) },
    ],
    ['autoscaling is turned off', fixed(3), live(6, 3), true, { decides: 'Held', floor: 3, replicas: 6 }],
    [
      'off, and the autoscaler is gone',
      fixed(3),
      live(6, 3),
      false,
      { decides: 'Held', floor: 3, replicas: 6 },
    ],
    [
      'off at the floor while the autoscaler is there',
      fixed(3),
      live(3, 3),
      true,
      { decides: 'Held', floor: 3, replicas: 3 },
    ],
    ['off at the floor', fixed(3), live(3, 3), false, { decides: 'Spec', replicas: 3, onlyAtVersion: '7' }],
    ['held, then edited', fixed(4), live(6, 3), false, { decides: 'Spec', replicas: 4 }],
    ['turned off and edited at once', fixed(4), live(6, 3), true, { decides: 'Spec', replicas: 4 }],
    ['held, and the annotation removed by hand', fixed(3), live(6), false, { decides: 'Spec', replicas: 3 }],
    ['held, then to zero', fixed(0), live(6, 3), false, { decides: 'Spec', replicas: 0 }],
    ['off at the floor, by a hub', fromHub(fixed(3)), live(6, 3), true, { decides: 'Spec', replicas: 3 }],
  ])('%s', (_what, service, deployment, hasAutoscaler, decision) => {
    expect(decideReplicas(service, deployment, hasAutoscaler ? autoscaler() : undefined)).toEqual(decision);
  });

  test.each([
    ['as many as it wanted', scaling(3), 6, 6],
    ['at least the floor', scaling(3), 1, 3],
    ['at most the ceiling', scaling(3), 50, 9],
    ['no more than asked for when autoscaling is off', fixed(3), 6, 3],
  ])(
    'a Deployment that was deleted under an autoscaler comes back with %s',
    (_what, its, desired, replicas) => {
      expect(decideReplicas(its, undefined, autoscaler(desired))).toEqual({ decides: 'Spec', replicas });
    },
  );

  test('while autoscaled or held the floor is guaranteed, not the present number', () => {
    expect(guaranteedReplicas({ decides: 'Held', floor: 3, replicas: 6 })).toBe(3);
    expect(guaranteedReplicas({ decides: 'Autoscaler', floor: 3, replicas: 6 })).toBe(3);
    expect(guaranteedReplicas({ decides: 'Held', floor: 3, replicas: 1 })).toBe(1);
    expect(guaranteedReplicas({ decides: 'Spec', replicas: 4 })).toBe(4);
  });
});

/** Replicas of the live Deployment. */
const replicasIn = (children: readonly LiveObject[]) =>
  (children.find(({ kind }) => kind === 'Deployment') as Deployment | undefined)?.spec?.replicas;

test('whoever turns autoscaling on and off as often as they like: only edits and the autoscaler change the number', () => {
  type Act = { do: 'on' | 'off' | 'look' } | { do: 'edit' | 'autoscale'; replicas: number };
  const act = fc.oneof<fc.Arbitrary<Act>[]>(
    fc.constantFrom({ do: 'on' }, { do: 'off' }, { do: 'look' }),
    fc.record({ do: fc.constantFrom('edit', 'autoscale'), replicas: fc.integer({ min: 1, max: 9 }) }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 25 }), (acts) => {
      let replicas = 3;
      let isOn = false;
      let children: LiveObject[] = [];
      const look = () => {
        const service = isOn ? scaling(replicas) : fixed(replicas);
        children = afterSteps(children, plan(service, observedWith({ children })).steps);
      };
      const rest = () => {
        for (let looks = 0; looks < 4; looks += 1) look();
      };
      rest();
      for (const each of acts) {
        const before = replicasIn(children)!;
        switch (each.do) {
          case 'on':
          case 'off':
            isOn = each.do === 'on';
            rest();
            expect(replicasIn(children)).toBe(before);
            break;
          case 'look':
            look();
            expect(replicasIn(children)).toBe(before);
            break;
          case 'edit': {
            const isEdit = each.replicas !== replicas;
            replicas = each.replicas;
            rest();
            if (isEdit) expect(replicasIn(children)).toBe(isOn ? Math.max(before, replicas) : replicas);
            break;
          }
          case 'autoscale':
            if (!isOn) break;
            children = scaledTo(children, Math.max(each.replicas, replicas));
            rest();
            expect(replicasIn(children)).toBe(Math.max(each.replicas, replicas));
        }
      }
    }),
    { numRuns: 100 },
  );
});

function scaledTo(children: readonly LiveObject[], replicas: number): LiveObject[] {
  return children.map((object) =>
    object.kind === 'Deployment'
      ? ({ ...object, spec: { ...(object as Deployment).spec, replicas } } as Deployment)
      : object,
  );
}
