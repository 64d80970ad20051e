import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Endpoint } from '../../../crds/model-service.ts';
import { endpointsOf } from '../../../operator/plan/hub/endpoints.ts';
import { partsOf } from '../../../operator/plan/hub/parts.ts';
import {
  backendName,
  backendObjects,
  httpRoute,
  importRoute,
} from '../../../operator/plan/hub/route-objects.ts';
import { MOST_BACKENDS, namesToResolve, routingOf } from '../../../operator/plan/hub/routing.ts';
import { placed, recordIn, sightsIn } from './region.ts';

const anywhere = { rangesOf: () => ['0.0.0.0/0', '::/0'], addressesOf: () => undefined };
const endpoint = (city: string, url: string, weight = 1): Endpoint => ({ city, url, weight });

describe('a route leads', () => {
  test('to each endpoint with its weight', () => {
    const endpoints = [
      endpoint('faro', 'http://203.0.113.7:30080', 2),
      endpoint('porto', 'http://[2001:db8::7]', 3),
    ];
    expect(routingOf(endpoints, anywhere)).toEqual({
      backends: [
        {
          city: 'faro',
          host: '203.0.113.7',
          addresses: ['203.0.113.7'],
          family: 'IPv4',
          port: 30080,
          weight: 2,
        },
        {
          city: 'porto',
          host: '2001:db8::7',
          addresses: ['2001:db8::7'],
          family: 'IPv6',
          port: 80,
          weight: 3,
        },
      ],
      leftOut: [],
    });
  });

  test('to the addresses of a name that are allowed, of one family', () => {
    const endpoints = [endpoint('faro', 'http://lb.faro.example')];
    const sources = {
      rangesOf: () => ['203.0.113.0/24', '2001:db8::/32'],
      addressesOf: () => ['203.0.113.9', '169.254.169.254', '203.0.113.7', '2001:db8::1', '203.0.113.7'],
    };
    expect(namesToResolve(endpoints, sources)).toEqual(['lb.faro.example']);
    const [backend] = routingOf(endpoints, sources).backends;
    expect(backend).toMatchObject({ family: 'IPv4', addresses: ['203.0.113.7', '203.0.113.9'] });
  });

  test.each<[string, string, Partial<typeof anywhere>, string]>([
    [
      'whose people have named no range',
      'http://1.2.3.4',
      { rangesOf: () => [] as never },
      'its CityCluster has no spec.addressRanges',
    ],
    [
      'outside its ranges',
      'http://10.96.0.1',
      { rangesOf: () => ['203.0.113.0/24'] },
      '10.96.0.1 is not in spec.addressRanges of its CityCluster',
    ],
    [
      'whose name stands for an address outside',
      'http://lb.example',
      { rangesOf: () => ['203.0.113.0/24'], addressesOf: (() => ['10.0.0.1']) as never },
      '10.0.0.1 (lb.example) is not in spec.addressRanges of its CityCluster',
    ],
    ['whose name stands for nothing', 'http://lb.example', {}, 'no address is known of lb.example'],
    ['that wants TLS', 'https://1.2.3.4', {}, 'its endpoint https://1.2.3.4 is not http'],
    [
      'at a path',
      'http://1.2.3.4/faro',
      {},
      'its endpoint http://1.2.3.4/faro has a path, which a route does not put in front',
    ],
    ['at no URL', 'faro', {}, 'its endpoint faro is no URL'],
  ])('to no city %s, and says why', (_, url, sources, why) => {
    expect(routingOf([endpoint('faro', url)], { ...anywhere, ...sources })).toEqual({
      backends: [],
      leftOut: [{ city: 'faro', why }],
    });
  });

  test('asks no name server for a city without ranges', () => {
    const sources = { rangesOf: () => undefined, addressesOf: () => undefined };
    expect(namesToResolve([endpoint('faro', 'http://lb.example')], sources)).toEqual([]);
  });

  test('to the sixteen cities with most, and says so of the others', () => {
    const endpoints = Array.from({ length: 18 }, (_, at) =>
      endpoint(`city-${String(at).padStart(2, '0')}`, `http://10.0.0.${at}`, 1 + (at % 9)),
    );
    const { backends, leftOut } = routingOf(endpoints, anywhere);
    expect(backends).toHaveLength(MOST_BACKENDS);
    expect(leftOut.map(({ city }) => city)).toEqual(['city-00', 'city-09']);
    expect(backends.map(({ city }) => city)).toEqual(backends.map(({ city }) => city).sort());
  });
});

const anyCity = fc.record({
  ready: fc.integer({ min: 0, max: 5 }),
  assigned: fc.integer({ min: 0, max: 5 }),
  silentSeconds: fc.constantFrom(0, 0, 0, 1_000),
  url: fc.constantFrom(
    'http://203.0.113.7:30080',
    'http://lb.example',
    'https://x.example',
    'http://10.0.0.1',
    undefined,
  ),
  ranges: fc.constantFrom(undefined, ['203.0.113.0/24'], ['0.0.0.0/0']),
});
type AnyCity = typeof anyCity extends fc.Arbitrary<infer T> ? T : never;
const anyRegion = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), anyCity, { maxKeys: 24 });

describe('whatever the cities say', () => {
  const routed = (region: Record<string, AnyCity>) => {
    const play = Object.fromEntries(
      Object.entries(region).map(([city, { assigned, ready, silentSeconds, url }]) => [
        city,
        { assigned, silentSeconds, claim: { ready, ...(url ? { url } : {}) } },
      ]),
    );
    const claims = sightsIn(play);
    const parts = partsOf(recordIn(play), {
      sights: claims,
      revision: 'r',
      claimOf: (city, key) => claims.get(city)?.city.claims.get(key),
      isTwoAgents: () => false,
      lastHeardAtMs: () => undefined,
    });
    const endpoints = endpointsOf(parts);
    const routing = routingOf(endpoints, {
      rangesOf: (city) => region[city]?.ranges,
      addressesOf: () => ['203.0.113.1', '192.0.2.1'],
    });
    return { endpoints, routing };
  };

  test('weight is on ready cities alone, and on any as soon as there is one to which it may lead', () => {
    fc.assert(
      fc.property(anyRegion, (region) => {
        const { endpoints, routing } = routed(region);
        for (const { city, weight, addresses } of routing.backends) {
          expect(region[city]!.ready).toBeGreaterThanOrEqual(weight);
          expect(weight).toBeGreaterThan(0);
          expect(addresses.length).toBeGreaterThan(0);
        }
        // Every published endpoint is either led to or spoken of.
        const all = [...routing.backends, ...routing.leftOut].map(({ city }) => city);
        expect(all.sort()).toEqual(endpoints.map(({ city }) => city).sort());
        const able = endpoints.filter(({ city, url }) => {
          const ranges = region[city]!.ranges;
          return (
            ranges !== undefined &&
            (url.startsWith('http://203') ||
              url.startsWith('http://lb') ||
              (url.startsWith('http://10') && ranges[0] === '0.0.0.0/0'))
          );
        });
        expect(routing.backends.length).toBe(Math.min(MOST_BACKENDS, able.length));
      }),
    );
  });

  test('the order in which they are named changes nothing', () => {
    fc.assert(
      fc.property(anyRegion, fc.func(fc.integer()), (region, by) => {
        const shuffled = Object.fromEntries(Object.entries(region).sort(([a], [b]) => by(a) - by(b)));
        expect(routed(shuffled)).toEqual(routed(region));
      }),
    );
  });

  test('the route is one that the API takes, and leads somewhere', () => {
    fc.assert(
      fc.property(anyRegion, (region) => {
        const service = placed({ placement: { route: { parentRefs: [{ name: 'public' }] } } });
        const { backends } = routed(region).routing;
        const { spec } = httpRoute(service, service.spec.placement!.route!, backends) as unknown as {
          spec: { rules: { backendRefs: { name: string; weight: number }[] }[] };
        };
        const refs = spec.rules[0]!.backendRefs;
        expect(refs.length).toBeGreaterThan(0);
        expect(refs.length).toBeLessThanOrEqual(16);
        expect(refs.reduce((sum, { weight }) => sum + weight, 0)).toBeGreaterThan(0);
        const services = backendObjects(service, backends)
          .filter(({ kind }) => kind === 'Service')
          .map(({ metadata }) => metadata.name);
        if (backends.length > 0) expect(refs.map(({ name }) => name)).toEqual(services);
      }),
    );
  });
});

describe('names of backends', () => {
  const name = (service: string, city: string) => backendName({ metadata: { name: service } } as never, city);

  test('are names of Services, however long those of service and city are', () => {
    const word = fc.stringMatching(/^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$/);
    fc.assert(
      fc.property(word, word, (service, city) => {
        expect(name(service, city)).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])$/);
      }),
    );
  });

  test('differ where the words run together', () => {
    expect(name('a-b', 'c')).not.toBe(name('a', 'b-c'));
    expect(name('a', '')).not.toBe(name('a', 'nowhere'));
  });
});

test('a hub in a cluster set leads to what the set has, as soon as anything is ready', () => {
  const route = { parentRefs: [{ name: 'public' }], backends: 'ServiceImport' as const };
  const service = placed({ placement: { route } });
  const refs = (isReady: boolean) =>
    (importRoute(service, route, isReady) as unknown as { spec: { rules: { backendRefs: object[] }[] } }).spec
      .rules[0]!.backendRefs;
  expect(refs(true)).toEqual([
    { group: 'multicluster.x-k8s.io', kind: 'ServiceImport', name: 'traffic', port: 80, weight: 1 },
  ]);
  expect(refs(false)).toMatchObject([{ kind: 'Service', weight: 1 }]);
});
