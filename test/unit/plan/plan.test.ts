import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { LiveObject } from '../../../operator/plan/cluster-objects.ts';
import { plan } from '../../../operator/plan/plan.ts';
import type { Step } from '../../../operator/plan/target.ts';
import { anyService } from './any-service.ts';
import {
  afterSteps,
  childrenOf,
  observedWith,
  onCpu,
  podOf,
  reportFrom,
  serviceWith,
  servingWorld,
  settings,
  statusOf,
} from './builders.ts';

const named = (steps: readonly Step[]) =>
  steps.map((step) =>
    step.action === 'apply'
      ? `apply ${step.object.kind} ${step.object.metadata.name} (${step.because})`
      : `${step.action} ${step.kind} ${step.name}`,
  );
const stepsFor = (service = serviceWith(), children: readonly LiveObject[] = [], more = {}) =>
  named(plan(service, observedWith({ children, ...more })).steps);
type Path = readonly (string | number)[];
/** The objects after somebody has set a field of one of them; an index beyond the end of a list appends. */
const edited = (children: readonly LiveObject[], kind: string, path: Path, value: unknown) =>
  children.map((object) => {
    if (object.kind !== kind) return object;
    const copy = structuredClone(object);
    const parent = path
      .slice(0, -1)
      .reduce<Record<string | number, unknown>>(
        (at, step) => at[step] as Record<string, unknown>,
        copy as unknown as Record<string, unknown>,
      );
    parent[path.at(-1)!] = value;
    return copy;
  });

describe('objects', () => {
  test('a new service gets everything, pods last', () => {
    expect(stepsFor()).toEqual([
      'apply ConfigMap traffic-model (create)',
      'apply ServiceAccount traffic-model (create)',
      'apply NetworkPolicy traffic (create)',
      'apply Service traffic (create)',
      'apply Deployment traffic (create)',
      'apply PodDisruptionBudget traffic (create)',
    ]);
  });

  test('one replica has no budget, which would block node drains', () => {
    const one = serviceWith({ replicas: 1 });
    expect(stepsFor(one).join()).not.toContain('PodDisruptionBudget');
    expect(stepsFor(one, childrenOf(serviceWith()))).toEqual([
      'apply Deployment traffic (changed)',
      'delete PodDisruptionBudget traffic',
    ]);
  });

  test("the user's service account replaces ours, which goes when no pod uses it", () => {
    const service = serviceWith({ podTemplate: { serviceAccountName: 'theirs' } });
    const children = childrenOf(serviceWith());
    const pod = podOf(service, { serviceAccountName: 'traffic-model' });
    expect(stepsFor(service, children, { pods: [pod] })).toEqual(['apply Deployment traffic (changed)']);
    expect(stepsFor(service, children)).toEqual([
      'apply Deployment traffic (changed)',
      'delete ServiceAccount traffic-model',
    ]);
  });

  test('a deletion names the object that was seen, by its uid', () => {
    const children = childrenOf(serviceWith());
    const uid = children.find(({ kind }) => kind === 'PodDisruptionBudget')?.metadata.uid;
    const { steps } = plan(serviceWith({ replicas: 1 }), observedWith({ children }));
    expect(steps).toContainEqual(
      expect.objectContaining({ action: 'delete', kind: 'PodDisruptionBudget', uid }),
    );
  });
});

describe('drift', () => {
  const children = childrenOf(serviceWith());
  const container = ['spec', 'template', 'spec', 'containers', 0];
  test.each<[string, string, Path, unknown]>([
    ['an image', 'Deployment', [...container, 'image'], 'evil'],
    ['replicas', 'Deployment', ['spec', 'replicas'], 9],
    ['a pause', 'Deployment', ['spec', 'paused'], true],
    ['an open egress', 'NetworkPolicy', ['spec', 'egress', 3], {}],
    ['a further port in a rule', 'NetworkPolicy', ['spec', 'ingress', 0, 'ports', 1], { port: 22 }],
    ['a narrower selector', 'Service', ['spec', 'selector', 'pod'], 'one'],
    ['a missing owner', 'Service', ['metadata', 'ownerReferences'], []],
    ['another assignment', 'ConfigMap', ['data', 'assignment.json'], '{}'],
  ])('%s is set back', (_what, kind, path, value) => {
    const name = kind === 'ConfigMap' ? 'traffic-model' : 'traffic';
    expect(stepsFor(serviceWith(), edited(children, kind, path, value))).toEqual([
      `apply ${kind} ${name} (drifted)`,
    ]);
  });

  test.each<[string, string, Path, unknown]>([
    ['a default of the API server', 'Deployment', ['spec', 'progressDeadlineSeconds'], 600],
    ['an annotation', 'Deployment', ['metadata', 'annotations', 'deployment.kubernetes.io/revision'], '1'],
    ['a sidecar', 'Deployment', [...container.slice(0, -1), 1], { name: 'proxy' }],
    ['an address', 'Service', ['spec', 'clusterIP'], '10.0.0.1'],
    ['a status', 'Deployment', ['status'], { replicas: 3 }],
    ['another spelling of a quantity', 'Deployment', [...container, 'resources', 'requests', 'cpu'], '0.5'],
    ['a false that is not stored', 'Deployment', ['spec', 'paused'], undefined],
  ])('%s of somebody else is none', (_what, kind, path, value) => {
    expect(stepsFor(serviceWith(), edited(children, kind, path, value))).toEqual([]);
  });

  test('a field that is no longer wanted is noticed although the object holds all that is', () => {
    const withEnv = serviceWith({ podTemplate: { env: [{ name: 'MINE', value: '1' }] } });
    expect(stepsFor(serviceWith(), childrenOf(withEnv))).toEqual(['apply Deployment traffic (changed)']);
  });
});

describe("somebody else's objects", () => {
  const foreign = (metadata: object): LiveObject => ({
    kind: 'Service',
    metadata: { name: 'traffic', namespace: 'city', uid: 'x', ...metadata },
  });
  const ours = { 'app.kubernetes.io/managed-by': 'aicity-operator', 'aicity.io/service': 'traffic' };
  const owner = (uid: string, name = 'traffic', kind = 'ModelService') => ({
    ownerReferences: [{ apiVersion: 'aicity.io/v1alpha1', kind, name, uid, controller: true }],
  });

  test.each([
    ['unlabelled', foreign({}), 'NameConflict'],
    [
      'labelled by another tool',
      foreign({ labels: { 'app.kubernetes.io/managed-by': 'Helm' } }),
      'NameConflict',
    ],
    [
      'with our labels and another controller',
      foreign({ labels: ours, ...owner('u', 'web', 'App') }),
      'NameConflict',
    ],
    ['of another service', foreign({ labels: ours, ...owner('u', 'other') }), 'NameConflict'],
    ['of a predecessor', foreign({ labels: ours, ...owner('former-uid') }), 'Progressing'],
    [
      'ours, being deleted',
      foreign({ labels: ours, ...owner('service-uid'), deletionTimestamp: 'now' }),
      'Progressing',
    ],
  ])('%s: refused', (_what, service, reason) => {
    const { steps } = plan(serviceWith(), observedWith({ children: [service] }));
    expect(steps.filter(({ action }) => action === 'refuse')).toMatchObject([
      { kind: 'Service', name: 'traffic', reason },
    ]);
    expect(named(steps).join()).not.toContain('apply Service traffic');
  });

  test.each([
    ['an orphan with our labels', foreign({ labels: ours })],
    ['one that we control and whose labels are gone', foreign(owner('service-uid'))],
  ])('%s is ours', (_what, service) => {
    expect(stepsFor(serviceWith(), [service])).toContain('apply Service traffic (changed)');
  });

  test('are not deleted either', () => {
    const budget: LiveObject = {
      kind: 'PodDisruptionBudget',
      metadata: { name: 'traffic', namespace: 'city', uid: 'x' },
    };
    expect(stepsFor(serviceWith({ replicas: 1 }), [budget]).join()).not.toContain('delete');
  });
});

describe('properties', () => {
  test('the plan of the applied state is empty', () => {
    fc.assert(
      fc.property(anyService(), (service) => {
        const children = childrenOf(service);
        expect(stepsFor(service, children)).toEqual([]);
      }),
    );
  });

  test('from any service to any other: at rest after a few looks, with the same objects as a new one', () => {
    const kinds = (children: readonly LiveObject[]) => children.map(({ kind }) => kind).sort();
    fc.assert(
      fc.property(anyService(), anyService(), (before, after) => {
        const changed = childrenOf(after, settings, childrenOf(before));
        expect(kinds(changed)).toEqual(kinds(childrenOf(after)));
      }),
    );
  });

  test('neither steps nor status depend on the order of pods, reports and objects', () => {
    const service = serviceWith();
    const world = servingWorld(service);
    const pods = [
      ...world.pods,
      podOf(service, { name: 'traffic-z', ready: false, templateRevision: 'old' }),
    ];
    const reports = [...world.reports, reportFrom(pods[3]!, service, { state: 'Loading' })];
    const straight = statusOf(service, { ...world, pods, reports });
    fc.assert(
      fc.property(
        fc.shuffledSubarray(pods, { minLength: 4 }),
        fc.shuffledSubarray(reports, { minLength: 4 }),
        fc.shuffledSubarray([...world.children], { minLength: world.children.length }),
        (shuffledPods, shuffledReports, children) => {
          const other = statusOf(service, {
            ...world,
            pods: shuffledPods,
            reports: shuffledReports,
            children,
          });
          expect(other).toEqual({ ...straight, condition: expect.any(Function) });
        },
      ),
    );
  });

  test('an interrupted apply is finished by the next look', () => {
    const service = serviceWith(onCpu);
    const { steps } = plan(service, observedWith());
    fc.assert(
      fc.property(fc.subarray([...steps]), (done) => {
        const children = afterSteps([], done);
        const rest = plan(service, observedWith({ children })).steps;
        expect(rest).toHaveLength(steps.length - done.length);
      }),
    );
  });
});
