import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { cityNamespace, REGION_ANNOTATIONS } from '../../crds/region.ts';
import type { KubeObject } from '../../operator/kube/objects.ts';
import { resources } from '../../operator/kube/resources.ts';
import { cluster } from './cluster.ts';
import { dyingClient } from './dying-client.ts';
import { PlayedCity } from './played-city.ts';
import { RegionHub } from './region-hub.ts';

let hub: RegionHub;
let porto: PlayedCity;
let faro: PlayedCity;
let lisbon: PlayedCity;
beforeAll(async () => {
  hub = await RegionHub.start(await cluster(), 'hub');
  // Its short grace keeps all heartbeats quick.
  await hub.applyService('quick', { replicas: 0 });
  porto = await hub.addCity('porto', { address: 'http://porto.example' });
  faro = await hub.addCity('faro', { address: 'http://faro.example' });
  lisbon = await hub.addCity('lisbon', { address: 'http://lisbon.example' });
});
afterAll(() => hub?.stop());

const cities = () => [porto, faro, lisbon];
const held = (name: string) =>
  cities().reduce((sum, city) => sum + (city.held.get(hub.key(name))?.grant.ceiling ?? 0), 0);
const readyIn = (name: string) => cities().map((city) => city.readyOf(hub.key(name)));
const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

async function shareOf(name: string, city: PlayedCity): Promise<KubeObject | undefined> {
  const shares = await city.shares();
  return shares.find(({ metadata }) => metadata.name.startsWith(`${name}-`)) as KubeObject | undefined;
}

async function removed(name: string): Promise<void> {
  await hub.client.delete(resources.ModelService, { name, namespace: hub.namespace }).catch(() => {});
  await hub.until(`nothing is left of ${name}`, async () => {
    const shares = await Promise.all(cities().map((city) => shareOf(name, city)));
    const left = shares.filter((share) => share !== undefined);
    if (left.length > 0) throw new Error(JSON.stringify(left.map(({ metadata }) => metadata.annotations)));
    return true;
  });
}

describe('a placed service', () => {
  afterAll(() => removed('traffic'));

  test('is spread over the cities, and its status sums them', async () => {
    await hub.applyService('traffic', { replicas: 5 });
    await hub.untilReady('traffic', 5);
    expect(total(readyIn('traffic'))).toBe(5);
    // The sums follow the reports at once, the decisions with the next look.
    await hub.until('the status says all of it', async () => {
      const status = await hub.status('traffic');
      expect(status).toMatchObject({ replicas: 5, readyOfWanted: '5/5', model: { version: '3' } });
      expect(status.cities?.map(({ known }) => known)).toEqual([true, true, true]);
      expect(status.endpoints?.map(({ weight }) => weight).sort()).toEqual([1, 2, 2]);
      expect(status.decisions?.map(({ reason }) => reason)).toEqual(['Placed', 'Placed', 'Placed']);
      return true;
    });
  });

  test('at rest nothing is written, whatever else is done', async () => {
    const objects = async (): Promise<(KubeObject | undefined)[]> => [
      await hub.service('traffic'),
      ...(await Promise.all(cities().map((city) => shareOf('traffic', city)))),
    ];
    const versionOf = (object: KubeObject | undefined) => object?.metadata.resourceVersion;
    const contentOf = (object: KubeObject | undefined) =>
      object && { ...object, metadata: { annotations: object.metadata.annotations } };
    for (;;) {
      const before = await objects();
      await hub.applyService('passing', { replicas: 1 });
      await hub.untilReady('passing', 1);
      await removed('passing');
      const after = await objects();
      const isWritten = after.map((object, index) => versionOf(object) !== versionOf(before[index]));
      if (!isWritten.includes(true)) break;
      // Figures may follow a while later, and on a busy machine a city is late: that is told, but nothing twice.
      for (const [index, object] of after.entries()) {
        if (isWritten[index]) expect(contentOf(object)).not.toEqual(contentOf(before[index]));
      }
    }
  });

  test('kubectl scale on the hub takes effect in the cities', async () => {
    await hub.kubectl('scale', 'ms/traffic', '--replicas=7', '-n', hub.namespace);
    await hub.untilReady('traffic', 7);
    expect(total(readyIn('traffic'))).toBe(7);
    await hub.kubectl('scale', 'ms/traffic', '--replicas=3', '-n', hub.namespace);
    await hub.until('the cities have three', async () => total(readyIn('traffic')) === 3);
    expect((await hub.untilReady('traffic', 3)).replicas).toBe(3);
  });

  test('a changed model reaches the shares without a new grant', async () => {
    await hub.until('nothing is on its way any more', async () => {
      const { conditions = [] } = await hub.status('traffic');
      return conditions.some(({ type, status }) => type === 'Reconciling' && status === 'False');
    });
    const before = await Promise.all(cities().map((city) => shareOf('traffic', city)));
    await hub.applyService('traffic', { replicas: 3, model: { uri: 'https://models.example/other' } });
    await hub.until('the shares have it', async () => {
      const shares = await Promise.all(cities().map((city) => shareOf('traffic', city)));
      return shares.filter(Boolean).every((share) => JSON.stringify(share).includes('models.example/other'));
    });
    const after = await Promise.all(cities().map((city) => shareOf('traffic', city)));
    const grants = (shares: typeof before) =>
      shares.map((share) => share?.metadata.annotations?.[REGION_ANNOTATIONS.grant]);
    expect(grants(after)).toEqual(grants(before));
  });

  test('edits of a share by hand are undone, and a share that was deleted comes back', async () => {
    const city = cities().find(({ held: has }) => (has.get(hub.key('traffic'))?.grant.floor ?? 0) > 0)!;
    const share = (await shareOf('traffic', city))!;
    const { name, namespace, annotations } = share.metadata;
    await hub.kubectl('patch', 'ms', name, '-n', namespace!, '--type=merge', '-p', '{"spec":{"replicas":9}}');
    await hub.until('it is put back', async () => {
      const { spec } = (await shareOf('traffic', city)) as KubeObject & { spec: { replicas: number } };
      return spec.replicas === JSON.parse(annotations![REGION_ANNOTATIONS.grant]!).floor;
    });
    await hub.kubectl('delete', 'ms', name, '-n', namespace!);
    await hub.until('it is back', async () => (await shareOf('traffic', city)) !== undefined);
    expect((await shareOf('traffic', city))?.metadata.annotations).toEqual(annotations);
  });

  test('each city is told how often to beat and where to look', async () => {
    const name = { name: 'heartbeat', namespace: porto.namespace };
    await hub.until('it is told', async () => {
      const { annotations = {} } = (await hub.client.get<KubeObject>(resources.Lease, name)).metadata;
      expect(annotations[REGION_ANNOTATIONS.heartbeatSeconds]).toBe('5');
      expect(JSON.parse(annotations[REGION_ANNOTATIONS.peers]!)).toEqual({
        [faro.name]: 'http://faro.example',
        [lisbon.name]: 'http://lisbon.example',
      });
      return true;
    });
  });
});

describe('a hub that dies', () => {
  const kinds: [string, (object: { kind?: string; status?: object; metadata?: object }) => boolean][] = [
    [
      'after a record was stored and before any city was told',
      ({ status }) => JSON.stringify(status ?? {}).includes('"placement"'),
    ],
    ['after the first city was told', (object) => JSON.stringify(object).includes(REGION_ANNOTATIONS.grant)],
  ];

  test.each(kinds)('%s: the next one finishes its work, and nothing is held twice', async (_, isLast) => {
    await hub.end();
    const dying = dyingClient(hub.client, isLast as never);
    await hub.run(dying.client);
    await hub.applyService('interrupted', { replicas: 4 });
    await hub.until('the hub is dead', async () => dying.isDead());
    await hub.end();
    await hub.run();
    let most = 0;
    await hub.until('all are ready', async () => {
      most = Math.max(most, held('interrupted'));
      return (await hub.status('interrupted')).readyReplicas === 4;
    });
    expect(most).toBeLessThanOrEqual(5);
    await hub.until('no more is held', async () => held('interrupted') === 4);
    const { placement } = await hub.status('interrupted');
    const epochs = placement!.shares!.map(({ grant }) => grant.epoch);
    expect(new Set(epochs).size).toBe(epochs.length);
    expect(placement!.epoch).toBe(Math.max(...epochs));
    await removed('interrupted');
  });

  test('a service that was deleted meanwhile is withdrawn by the next one', async () => {
    await hub.applyService('orphan', { replicas: 3 });
    await hub.untilReady('orphan', 3);
    await hub.end();
    await hub.client.delete(resources.ModelService, { name: 'orphan', namespace: hub.namespace });
    expect(held('orphan')).toBe(3);
    await hub.run();
    await hub.until('the cities hold nothing', async () => held('orphan') === 0);
    await removed('orphan');
  });

  test('its memory lost, it adopts what it finds', async () => {
    await hub.applyService('forgotten', { replicas: 3 });
    const before = (await hub.untilReady('forgotten', 3)).placement!;
    await hub.end();
    await hub.kubectl(
      'patch',
      'ms',
      'forgotten',
      '-n',
      hub.namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":null}',
    );
    const grants = cities().map((city) => city.held.get(hub.key('forgotten'))?.grant);
    await hub.run();
    const after = (await hub.untilReady('forgotten', 3)).placement!;
    expect(cities().map((city) => city.held.get(hub.key('forgotten'))?.grant)).toEqual(grants);
    expect(after.epoch).toBeGreaterThanOrEqual(before.epoch);
    expect(after.shares?.map(({ assigned }) => assigned)).toEqual(
      before.shares?.map(({ assigned }) => assigned),
    );
    await removed('forgotten');
  });
});

describe('a city', () => {
  /** A city is late after 45 seconds, and two of a name are told for twice as long, until all beat in the rhythm of `air`. */
  const SLOW_RHYTHM_SECONDS = 120;
  afterEach(() => removed('air'));

  async function drain({ name }: PlayedCity, value: boolean): Promise<void> {
    await hub.kubectl('patch', 'city', name, '--type=merge', '-p', `{"spec":{"drain":${value}}}`);
  }

  async function drained({ name }: PlayedCity) {
    const { conditions = [] } = (await hub.cityCluster(name)).status ?? {};
    return conditions.find(({ type }) => type === 'Drained');
  }

  test('that is lost is replaced, and what it held is withdrawn when it returns', async () => {
    await hub.applyService('air', { replicas: 6 });
    await hub.untilReady('air', 6);
    const lost = porto.readyOf(hub.key('air'));
    expect(lost).toBeGreaterThan(0);
    await porto.goSilent();
    const isUnknown = async () => {
      const { cities: told = [] } = await hub.status('air');
      return told.some(({ city, known }) => city === porto.name && !known);
    };
    await hub.until('the status says that it is not known', isUnknown, SLOW_RHYTHM_SECONDS);
    await hub.until('others stand in', async () => {
      return faro.readyOf(hub.key('air')) + lisbon.readyOf(hub.key('air')) === 6;
    });
    const status = await hub.untilReady('air', 6);
    expect(status.endpoints?.map(({ city }) => city)).toEqual([faro.name, lisbon.name].sort());
    await hub.until('its CityCluster says that it is lost', async () => {
      return (await hub.cityCluster(porto.name)).status?.conditions?.[0]?.reason === 'Lost';
    });
    expect(porto.readyOf(hub.key('air'))).toBe(lost);
    porto.comeBack();
    await hub.until('it gave back what is held twice', async () => porto.readyOf(hub.key('air')) === 0);
    expect(total(readyIn('air'))).toBe(6);
    const reasons = ['get', 'events', '-n', hub.namespace, '-o', 'jsonpath={.items[*].reason}'];
    await hub.until('events tell of it', async () => {
      const told = await hub.kubectl(...reasons);
      return ['Lost', 'StandsIn'].every((reason) => told.includes(reason));
    });
  }, 300_000);

  test('that is drained gives up its replicas as others become ready, and says when it is empty', async () => {
    await hub.applyService('air', {
      replicas: 3,
      placement: { spread: { topologyKey: 'aicity.io/city', maxSkew: 1 } },
    });
    await hub.untilReady('air', 3);
    await drain(faro, true);
    await hub.until('it is empty', async () => (await drained(faro))?.status === 'True');
    expect(faro.readyOf(hub.key('air'))).toBe(0);
    expect(porto.readyOf(hub.key('air')) + lisbon.readyOf(hub.key('air'))).toBe(3);
    await drain(faro, false);
    await hub.until('it takes replicas again', async () => {
      return (await hub.cityCluster(faro.name)).status?.conditions?.[0]?.reason === 'Heard';
    });
  });

  test('that is drained keeps what has no other place, and says which service that is', async () => {
    const selector = { matchLabels: { 'aicity.io/city': faro.name } };
    await hub.applyService('air', { replicas: 2, placement: { selector } });
    await hub.untilReady('air', 2);
    await drain(faro, true);
    await hub.until('it says what stays', async () => {
      const { reason, message = '' } = (await drained(faro)) ?? {};
      return reason === 'DrainBlocked' && message.includes(`no other city has room for ${hub.key('air')}`);
    });
    expect(faro.readyOf(hub.key('air'))).toBe(2);
    expect((await hub.status('air')).readyReplicas).toBe(2);
    await hub.applyService('air', { replicas: 2 });
    await hub.until('it is empty', async () => (await drained(faro))?.status === 'True');
    expect(porto.readyOf(hub.key('air')) + lisbon.readyOf(hub.key('air'))).toBe(2);
    await drain(faro, false);
  });

  test('that runs what nobody asked for is left alone, and told of', async () => {
    const grant = { epoch: 9, session: lisbon.session, floor: 1, ceiling: 1 };
    lisbon.held.set('elsewhere/stranger', { grant, running: 1, ready: 1 });
    await hub.until('it is told', async () => {
      const [ready] = (await hub.cityCluster(lisbon.name)).status?.conditions ?? [];
      return ready?.reason === 'UnknownServices' && ready.message.includes('elsewhere/stranger');
    });
    expect(lisbon.readyOf('elsewhere/stranger')).toBe(1);
    lisbon.held.delete('elsewhere/stranger');
  });

  test('whose name another cluster wants goes on, and is told of', async () => {
    const lease = ['-n', cityNamespace(porto.name), 'annotate', '--overwrite', 'lease', 'heartbeat'];
    const ready = async () => (await hub.cityCluster(porto.name)).status?.conditions?.[0];
    await hub.until('it is told', async () => {
      // Who wants the name says so again and again; it is believed for a few seconds each time.
      await hub.kubectl(...lease, `${REGION_ANNOTATIONS.contender}=stranger ${new Date().toISOString()}`);
      const { reason, status, message = '' } = (await ready()) ?? {};
      return reason === 'TwoAgents' && status === 'True' && message.includes('the cluster stranger wants');
    });
    const isForgotten = async () => (await ready())?.reason !== 'TwoAgents';
    await hub.until('it is forgotten', isForgotten, SLOW_RHYTHM_SECONDS);
  }, 300_000);

  test('as which two clusters report is given nothing more, and told of', async () => {
    const twin = new PlayedCity(hub.client, faro.name, { holder: 'another cluster' });
    twin.session = `${faro.name}-twin`;
    twin.start();
    await hub.until('it is told', async () => {
      return (await hub.cityCluster(faro.name)).status?.conditions?.[0]?.reason === 'TwoAgents';
    });
    await hub.applyService('air', { replicas: 4 });
    await hub.untilReady('air', 4);
    expect(await shareOf('air', faro)).toBeUndefined();
    await twin.goSilent();
    // Its report was written over; a city that was disturbed begins a new session and reports anew.
    faro.comeBack();
    const isOne = async () => (await hub.cityCluster(faro.name)).status?.conditions?.[0]?.status === 'True';
    await hub.until('it is one city again', isOne, SLOW_RHYTHM_SECONDS);
  }, 300_000);
});
