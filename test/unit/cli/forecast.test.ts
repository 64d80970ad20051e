import { describe, expect, test } from '@jest/globals';
import type { CityCluster } from '../../../crds/city-cluster.ts';
import type { CityReason } from '../../../crds/city-conditions.ts';
import type { CityReport } from '../../../crds/city-report.ts';
import { type ModelService, ModelServiceSpec } from '../../../crds/model-service.ts';
import { forecast } from '../../../operator/cli/forecast.ts';
import { forecastText } from '../../../operator/cli/plan.ts';
import { statusText } from '../../../operator/cli/status.ts';
import { placementStatus } from '../../../operator/plan/hub/record-status.ts';

const GPU = 'nvidia.com/gpu';
const NOW = Date.parse('2026-03-01T12:00:00Z');

function city(name: string, country: string, reason: CityReason = 'Heard'): CityCluster {
  return {
    apiVersion: 'aicity.io/v1alpha1',
    kind: 'CityCluster',
    metadata: { name, uid: name, generation: 1, labels: { country } },
    spec: { drain: false },
    status: {
      conditions: [
        {
          type: 'Ready',
          status: reason === 'Heard' ? 'True' : 'False',
          reason,
          message: '',
          observedGeneration: 1,
          lastTransitionTime: '2026-03-01T11:00:00Z',
        },
      ],
    },
  };
}

function report(name: string, gpus: number, claims = {}): CityReport {
  return {
    apiVersion: 'aicity.io/v1alpha1',
    kind: 'CityReport',
    metadata: { name: 'city', namespace: `aicity-city-${name}`, uid: name },
    report: {
      session: `${name}-1`,
      sequence: 1,
      capacity: [
        { resource: GPU, total: gpus, forShares: gpus, used: 0 },
        { resource: 'cpu', total: 64, forShares: 64, used: 0 },
        { resource: 'memory', total: 256 * 2 ** 30, forShares: 256 * 2 ** 30, used: 0 },
      ],
      claims,
    },
  };
}

function service(
  name: string,
  replicas: number,
  placement: object,
  status?: ModelService['status'],
): ModelService {
  return {
    apiVersion: 'aicity.io/v1alpha1',
    kind: 'ModelService',
    metadata: { name, namespace: 'mobility', uid: name, generation: 1 },
    spec: ModelServiceSpec.parse({ model: { uri: 'https://models.example.org/m' }, replicas, placement }),
    ...(status && { status }),
  };
}

const cities = [city('porto', 'pt'), city('faro', 'pt'), city('vigo', 'es')];
const hub = { cities, reports: [report('porto', 4), report('faro', 2), report('vigo', 8)], services: [] };
const portugal = { residency: { matchLabels: { country: 'pt' } } };

const total = (found: readonly { replicas: number }[]) =>
  found.reduce((sum, { replicas }) => sum + replicas, 0);

describe('what would happen', () => {
  test('a new service is split over the cities that may take it', () => {
    const [traffic] = forecast(hub, [service('traffic', 4, portugal)], NOW);
    expect(traffic).toMatchObject({ key: 'mobility/traffic', isProposed: true, wanted: 4, waiting: 0 });
    expect(traffic!.after.map(({ city: name }) => name)).toEqual(['faro', 'porto']);
    expect(total(traffic!.after)).toBe(4);
    expect(traffic!.before.size).toBe(0);
  });

  test('replicas without room wait, and the reason is told', () => {
    const [traffic] = forecast(hub, [service('traffic', 9, portugal)], NOW);
    expect(traffic).toMatchObject({ waiting: 3 });
    const text = forecastText(traffic!);
    expect(text).toContain('mobility/traffic: 6 of 9 replicas would have a city.');
    expect(text).toMatch(/porto +0 → 4 /);
    expect(text).toMatch(/3 replicas would wait: .+GPU|3 replicas would wait: .+nvidia/);
  });

  test.each<CityReason>(['Late', 'Lost', 'NeverHeard'])('a city that is %s is given nothing', (reason) => {
    const silent = { ...hub, cities: [city('porto', 'pt', reason), city('faro', 'pt')] };
    const [traffic] = forecast(silent, [service('traffic', 2, portugal)], NOW);
    expect(traffic!.after.map(({ city: name }) => name)).toEqual(['faro']);
  });

  test('a change starts from where the replicas are, and tells what moves of others', () => {
    const grant = { epoch: 3, session: 'faro-1', floor: 2, ceiling: 2 };
    const record = placementStatus({
      key: 'mobility/image',
      epoch: 3,
      waiting: 0,
      unfit: new Map(),
      isProvisional: false,
      shares: new Map([
        [
          'faro',
          { city: 'faro', assigned: 2, grant, mayHold: 2, standing: { phase: 'Serving' }, isYielding: false },
        ],
      ]),
    });
    const image = service('image', 2, {}, { placement: record });
    const claims = { 'mobility/image': { epoch: 3, floor: 2, ceiling: 2, running: 2, ready: 2, needed: 0 } };
    const busy = {
      cities: cities.slice(0, 2),
      reports: [report('porto', 0), report('faro', 2, claims)],
      services: [image],
    };
    const calm = forecast(busy, [image], NOW);
    expect(calm).toHaveLength(1);
    expect([...calm[0]!.before]).toEqual([['faro', 2]]);
    expect(calm[0]!.after).toMatchObject([{ city: 'faro', replicas: 2, reason: 'Placed' }]);

    const urgent = forecast(busy, [service('traffic', 2, { ...portugal, priority: 10 })], NOW);
    expect(urgent.map(({ key, isProposed }) => [key, isProposed])).toEqual([
      ['mobility/traffic', true],
      ['mobility/image', false],
    ]);
    expect(forecastText(urgent[1]!)).toContain('mobility/image, which is not in the file, would move:');
    expect(forecastText(urgent[1]!)).toContain('2 replicas would wait');
  });

  test('services that are not placed, and those that stay as they are, are not in it', () => {
    const { placement, ...spec } = service('local', 1, {}).spec;
    const local = { ...service('local', 1, {}), spec };
    expect(forecast(hub, [local], NOW)).toEqual([]);
  });
});

describe('the status of a service', () => {
  test('has a line for each city, with its part of the clients', () => {
    const text = statusText(
      service(
        'traffic',
        3,
        {},
        {
          readyOfWanted: '3/3',
          cities: [
            {
              city: 'porto',
              known: true,
              replicas: 2,
              readyReplicas: 2,
              guaranteed: 2,
              maxReplicas: 2,
              version: '3',
            },
            { city: 'faro', known: false, replicas: 1, readyReplicas: 1, guaranteed: 1, maxReplicas: 1 },
          ],
          decisions: [
            { city: 'porto', replicas: 2, reason: 'Placed', message: 'porto guarantees 2 replicas' },
          ],
          endpoints: [{ city: 'porto', url: 'http://porto:30080', weight: 2 }],
        },
      ),
    );
    expect(text).toContain('mobility/traffic: 3/3 ready.');
    expect(text).toMatch(/faro +1\/1 \(unknown\) +- +- +- +- +- +-/);
    expect(text).toMatch(
      /porto +2\/2 +2 +3 +100% +http:\/\/porto:30080 +Placed +porto guarantees 2 replicas/,
    );
  });

  test('says what has become of its route, where it asks for one', () => {
    const said = {
      type: 'Routed' as const,
      status: 'False' as const,
      reason: 'CityNotRoutable' as const,
      message: 'ready replicas to which the route does not lead: faro: its endpoint is not http',
      observedGeneration: 1,
      lastTransitionTime: '2026-03-01T12:00:00Z',
    };
    const text = (conditions: (typeof said)[]) => statusText(service('traffic', 3, {}, { conditions }));
    expect(text([said])).toContain('\nRoute: CityNotRoutable: ready replicas to which');
    expect(text([])).not.toContain('Route');
  });
});
