import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../../operator/kube/client.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { adminClient } from '../api/operator-account.ts';
import { cluster } from './cluster.ts';
import { installRegionDefinitions } from './region-hub.ts';

let client: KubeClient;
let namespace: string;
beforeAll(async () => {
  const city = await cluster();
  await installRegionDefinitions(city);
  namespace = await city.freshNamespace('placement');
  client = adminClient(city);
});
afterAll(() => client?.close());

const dryRun = { fieldManager: 'user', dryRun: true } as const;

async function placed(placement: object): Promise<KubeObject & { spec: { placement: object } }> {
  const object = {
    metadata: { name: 'traffic', namespace },
    spec: { model: { uri: 'https://models.example/traffic' }, placement },
  } as KubeObject;
  return await client.create(resources.ModelService, object, dryRun);
}

/** Nothing is made; the name is that of no city that other tests may have left. */
async function city(spec: object, name = 'described'): Promise<KubeObject> {
  return await client.create(resources.CityCluster, { metadata: { name }, spec } as KubeObject, dryRun);
}

const everywhere = { matchLabels: { country: 'pt' } };
const inCountries = (operator: string, values?: string[]) => ({
  matchExpressions: [{ key: 'country', operator, ...(values ? { values } : {}) }],
});

describe('spec.placement', () => {
  test('may be empty: defaults are filled in', async () => {
    expect((await placed({})).spec.placement).toEqual({ priority: 0, failover: { graceSeconds: 90 } });
  });

  test('takes all that there is', async () => {
    const placement = {
      residency: inCountries('In', ['pt', 'es']),
      selector: inCountries('Exists'),
      groups: [
        { name: 'near', selector: everywhere },
        { name: 'far', selector: {} },
      ],
      preferred: [{ weight: 10, selector: everywhere }],
      weights: { freeCapacity: 1, price: 50, carbonIntensity: 100 },
      spread: {
        topologyKey: 'region',
        minGroups: 2,
        maxGroups: 3,
        maxSkew: 1,
        whenUnsatisfiable: 'DoNotSchedule',
      },
      tolerations: [{ key: 'edge', operator: 'Exists' }, { operator: 'Exists' }, { key: 'a', value: 'b' }],
      priority: -5,
      failover: { graceSeconds: 15 },
      route: {
        parentRefs: [{ name: 'public', namespace: 'gateways', sectionName: 'https', port: 443 }],
        hostnames: ['traffic.example.org', '*.porto.example.org'],
        backends: 'Addresses',
      },
    };
    expect((await placed(placement)).spec.placement).toMatchObject(placement);
  });

  test.each<[string, object, RegExp]>([
    ['In without values', { residency: inCountries('In') }, /In needs at least one value/],
    ['In with no value', { selector: inCountries('In', []) }, /In needs at least one value/],
    ['NotIn without values', { selector: inCountries('NotIn') }, /NotIn needs at least one value/],
    ['Exists with values', { residency: inCountries('Exists', ['pt']) }, /Exists takes no values/],
    [
      'an operator that is none',
      { selector: inCountries('Near', ['pt']) },
      /supported values: "In", "NotIn"/,
    ],
    [
      'more groups at least than at most',
      { spread: { topologyKey: 'region', minGroups: 3, maxGroups: 2 } },
      /minGroups is 3 and maxGroups is 2: lower minGroups or raise maxGroups/,
    ],
    ['a spread over nothing', { spread: {} }, /spread\.topologyKey: Required value/],
    [
      'a skew of nothing',
      { spread: { topologyKey: 'region', maxSkew: 0 } },
      /maxSkew.*greater than or equal to 1/,
    ],
    [
      'a toleration of nothing',
      { tolerations: [{ value: 'x' }] },
      /a toleration without a key needs operator Exists/,
    ],
    [
      'a toleration of every value and of one',
      { tolerations: [{ key: 'edge', operator: 'Exists', value: 'x' }] },
      /operator Exists takes no value/,
    ],
    [
      'two groups of one name',
      {
        groups: [
          { name: 'a', selector: {} },
          { name: 'a', selector: {} },
        ],
      },
      /Duplicate value/,
    ],
    ['a group without cities', { groups: [{ name: 'a' }] }, /groups\[0\]\.selector: Required value/],
    [
      'a preference without weight',
      { preferred: [{ selector: {} }] },
      /preferred\[0\]\.weight: Required value/,
    ],
    ['a weight beyond 100', { weights: { price: 101 } }, /weights\.price.*less than or equal to 100/],
    [
      'a grace shorter than the hub can tell',
      { failover: { graceSeconds: 5 } },
      /graceSeconds.*greater than or equal to 15/,
    ],
    ['a route without a Gateway', { route: { parentRefs: [] } }, /parentRefs.*at least 1 item/],
    [
      'a route to a Gateway of an impossible name',
      { route: { parentRefs: [{ name: 'Public' }] } },
      /expected the name of a Gateway/,
    ],
    [
      'a route for an address',
      { route: { parentRefs: [{ name: 'public' }], hostnames: ['https://traffic.example.org'] } },
      /expected a name such as traffic\.example\.org/,
    ],
    ['a priority beyond all', { priority: 1_000_001 }, /priority.*less than or equal to 1000000/],
  ])('is refused with a sentence: %s', async (_, placement, sentence) => {
    await expect(placed(placement)).rejects.toThrow(sentence);
  });
});

describe('a CityCluster', () => {
  test('may be empty', async () => {
    expect(await city({})).toMatchObject({ spec: { drain: false } });
  });

  test('says where its endpoints are, in either family', async () => {
    const addressRanges = ['203.0.113.0/24', '0.0.0.0/0', '2001:db8:17::/48', '::ffff:10.0.0.0/104', '::/0'];
    expect(await city({ addressRanges })).toMatchObject({ spec: { addressRanges } });
  });

  test.each(['203.0.113.7', '203.0.113.0/33', '2001:db8::/129', 'porto.example/24', '/8'])(
    'says no range that is none: %s',
    async (range) => {
      await expect(city({ addressRanges: [range] })).rejects.toThrow(/expected a range of addresses such as/);
    },
  );

  test.each<[string, object, RegExp]>([
    [
      'a taint of an unknown effect',
      { taints: [{ key: 'a', effect: 'Never' }] },
      /supported values: "NoSchedule"/,
    ],
    ['a taint twice', { taints: Array(2).fill({ key: 'a', effect: 'NoExecute' }) }, /Duplicate value/],
    [
      'a place that is nowhere',
      { location: { latitude: 91, longitude: 0 } },
      /latitude.*less than or equal to 90/,
    ],
    ['a price below nothing', { pricePerHour: -1 }, /pricePerHour.*greater than or equal to 0/],
  ])('is refused with a sentence: %s', async (_, spec, sentence) => {
    await expect(city(spec)).rejects.toThrow(sentence);
  });

  test('its name must be able to name a namespace', async () => {
    await expect(city({}, 'porto.norte')).rejects.toThrow(/since it names a namespace/);
  });
});
