import { describe, expect, test } from '@jest/globals';
import { REGION_ANNOTATIONS } from '../../../crds/region.ts';
import {
  connectionAfter,
  HUB_CONNECTIONS,
  type HubConnection,
  remedyFor,
} from '../../../operator/plan/agent/connection.ts';
import {
  contenderPatch,
  FIRST_RHYTHM,
  heartbeatPatch,
  hubAnswer,
} from '../../../operator/plan/agent/heartbeat.ts';
import { isGone, otherHolder } from '../../../operator/plan/agent/holder.ts';
import { isNews, lookable, viewsAt } from '../../../operator/plan/agent/peers.ts';
import { serviceUrlOutside } from '../../../operator/plan/agent/service-url.ts';

const said = (annotations: Record<string, string>) => hubAnswer({ metadata: { annotations } });

describe('the heartbeat', () => {
  test('says which report is valid and what is seen, only over what was seen of the Lease', () => {
    const beat = {
      identity: 'uid',
      renewTime: 't',
      session: 's',
      sequence: 4,
      views: { b: { sees: true, ageSeconds: 1 } },
    };
    expect(heartbeatPatch(beat, '17')).toEqual({
      metadata: {
        resourceVersion: '17',
        annotations: {
          [REGION_ANNOTATIONS.session]: 's',
          [REGION_ANNOTATIONS.sequence]: '4',
          [REGION_ANNOTATIONS.views]: '{"b":{"ageSeconds":1,"sees":true}}',
          [REGION_ANNOTATIONS.contender]: null,
        },
      },
      spec: { holderIdentity: 'uid', renewTime: 't' },
    });
  });

  test('is answered with the rhythm and with where to look', () => {
    const answer = said({
      [REGION_ANNOTATIONS.heartbeatSeconds]: '5',
      [REGION_ANNOTATIONS.peers]: '{"lisboa":"https://lisboa.example"}',
    });
    expect(answer.rhythm).toEqual({ heartbeatMs: 5000, lateAfterMs: 7500, sessionMs: 12_000 });
    expect(answer.peers).toEqual({ lisboa: 'https://lisboa.example' });
  });

  test.each(['', '0', '-1', 'x', '1e9', 'NaN'])('a heartbeat of "%s" is as if nothing was said', (text) => {
    expect(said({ [REGION_ANNOTATIONS.heartbeatSeconds]: text }).rhythm).toEqual(FIRST_RHYTHM);
  });

  test.each(['', 'x', '[1]', '{"a":1}', 'null'])('peers of %s are none', (text) => {
    expect(said({ [REGION_ANNOTATIONS.peers]: text }).peers).toEqual({});
  });
});

describe('another holder', () => {
  const lease = (holderIdentity: string, renewTime: string) => ({
    metadata: {},
    spec: { holderIdentity, renewTime },
  });
  const rhythm = { lateAfterMs: 500 };

  test('is nobody where the Lease is free or ours', () => {
    expect(otherHolder(undefined, { metadata: {} }, 'us', 0)).toBeUndefined();
    expect(otherHolder(undefined, lease('us', 'a'), 'us', 0)).toBeUndefined();
  });

  test('is told who would have its place, and keeps it', () => {
    expect(contenderPatch('us', 't')).toEqual({
      metadata: { annotations: { [REGION_ANNOTATIONS.contender]: 'us t' } },
    });
  });

  test('is there until it has been silent for long enough, whatever times it writes', () => {
    const first = otherHolder(undefined, lease('them', 'a'), 'us', 0)!;
    const same = otherHolder(first, lease('them', 'a'), 'us', 900)!;
    expect(isGone(same, 1000, rhythm)).toBe(false);
    expect(isGone(same, 1001, rhythm)).toBe(true);
    const renewed = otherHolder(same, lease('them', 'b'), 'us', 950)!;
    expect(isGone(renewed, 1001, rhythm)).toBe(false);
  });
});

describe('other cities', () => {
  test('are looked at where the hub says, over http alone, and not oneself', () => {
    const peers = lookable(
      {
        porto: 'https://porto.example',
        lisboa: 'http://10.0.0.1:8080/health',
        braga: 'ftp://braga.example',
        faro: 'https://user:secret@faro.example',
        beja: 'no address',
        evora: 'file:///etc/passwd',
      },
      'porto',
    );
    expect([...peers.keys()]).toEqual(['lisboa']);
  });

  test('are told with the age of the look', () => {
    expect(viewsAt(new Map([['b', { sees: false, atMs: 1000 }]]), 3540)).toEqual({
      b: { sees: false, ageSeconds: 2.5 },
    });
  });

  test('are news when one comes or goes', () => {
    const sees = (is: boolean) => new Map([['b', { sees: is, atMs: 0 }]]);
    expect(isNews(new Map(), sees(true))).toBe(true);
    expect(isNews(sees(true), sees(false))).toBe(true);
    expect(isNews(sees(true), sees(true))).toBe(false);
  });
});

describe('where clients reach a service', () => {
  const ports = [{ name: 'http', port: 80, nodePort: 30_080 }];
  const object = { kind: 'Service', metadata: { name: 'traffic' } };
  const nodePort = { ...object, spec: { type: 'NodePort', ports } };
  const balancer = (ingress: object[]) => ({
    ...object,
    spec: { type: 'LoadBalancer', ports },
    status: { loadBalancer: { ingress } },
  });
  const inside = { ...object, spec: { type: 'ClusterIP', ports: [{ port: 80 }] } };
  const address = 'https://porto.example:6443';
  const endpointTemplate = 'https://{name}.{namespace}.porto.example';

  test.each([
    ["a load balancer's address", balancer([{ ip: '10.0.0.9' }]), { address }, 'http://10.0.0.9'],
    ['its name', balancer([{ hostname: 'lb.example' }]), {}, 'http://lb.example'],
    ['its address of six', balancer([{ ip: 'fd00::1' }]), {}, 'http://[fd00::1]'],
    [
      "the city's host at the node port",
      nodePort,
      { address, endpointTemplate },
      'http://porto.example:30080',
    ],
    [
      'the template, where the city has no address',
      nodePort,
      { endpointTemplate },
      'https://traffic.city.porto.example',
    ],
    [
      'the template, while a load balancer has none',
      balancer([]),
      { address, endpointTemplate },
      'https://traffic.city.porto.example',
    ],
    ['nothing else', inside, { address }, undefined],
    ['nothing, where there is no Service', undefined, { address }, undefined],
  ])('%s', (_what, service, city, url) => {
    expect(serviceUrlOutside('city/traffic', service, city)).toBe(url);
  });
});

describe('a hub that is in the way', () => {
  test.each<[number, string, HubConnection]>([
    [401, 'Unauthorized', 'Refused'],
    [403, 'Forbidden', 'Refused'],
    [0, 'Credentials', 'Refused'],
    [404, 'NotFound', 'NotJoined'],
    [0, 'Network', 'Unreachable'],
    [0, 'Timeout', 'Unreachable'],
    [503, 'ServiceUnavailable', 'Unreachable'],
  ])('%i %s: %s', (status, reason, connection) => {
    expect(connectionAfter({ status, reason })).toBe(connection);
  });

  test('each trouble has a remedy', () => {
    for (const connection of Object.keys(HUB_CONNECTIONS) as HubConnection[]) {
      const isTrouble = connection !== 'Connected' && connection !== 'Connecting';
      expect(remedyFor(connection, 'porto') !== '').toBe(isTrouble);
    }
  });
});
