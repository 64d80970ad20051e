/** A hub does not look again and again at what it can do nothing about, and misses nothing by that. */
import { describe, expect, test } from '@jest/globals';
import { Placement } from '../../../crds/placement.ts';
import { lookAtRegion, type RegionOutcome } from '../../../operator/plan/failover/region.ts';
import { GPU } from '../../region/simulator/faults.ts';
import { HUB } from '../../region/simulator/network.ts';
import { SimulatedRegion } from '../../region/simulator/region.ts';

const GRACE_SECONDS = 30;
const KEY = 'default/traffic';

/** A region of three cities with eight GPUs each, and how often it is looked at. */
function regionWith(replicas: number) {
  let looks = 0;
  let last: RegionOutcome | undefined;
  const region = new SimulatedRegion({
    seed: 1,
    shortestGraceMs: GRACE_SECONDS * 1000,
    look: (input) => {
      looks++;
      last = lookAtRegion(input);
      return last;
    },
  });
  region.network.isCalm = true;
  for (const name of ['porto', 'faro', 'lisboa']) region.addCity(name, { [GPU]: 8 });
  region.addService({
    key: KEY,
    priority: 0,
    replicas,
    maximum: replicas,
    isAutoscaled: false,
    demand: [{ resource: GPU, amount: 1 }],
    placement: Placement.parse({ failover: { graceSeconds: GRACE_SECONDS } }),
  });
  const pass = (seconds: number) => {
    looks = 0;
    region.agenda.runUntil(region.agenda.nowMs + seconds * 1000);
    return looks;
  };
  const city = (name: string) => region.cities.get(name)!;
  const ready = () => [...region.cities.values()].reduce((sum, one) => sum + one.podsOf(KEY).ready, 0);
  return { region, pass, city, ready, last: () => last!, record: () => region.hub.records.get(KEY)! };
}

describe('at rest', () => {
  test('there is no look while nothing happens', () => {
    const { region, pass, ready } = regionWith(6);
    region.start();
    pass(180);
    expect(ready()).toBe(6);
    expect(pass(600)).toBe(0);
  });

  test('nor while replicas do not become ready; when their time is over another city gets them', () => {
    const { region, pass, city, ready, record } = regionWith(3);
    city('porto').becomeUnfit();
    region.start();
    pass(180);
    expect(ready()).toBe(2);
    expect(pass(600)).toBeLessThan(10);
    pass(300);
    expect(ready()).toBe(3);
    expect(record().unfit.has('porto')).toBe(true);
  });

  test('nor while there is no room; room that others leave is taken', () => {
    const { region, pass, ready, record } = regionWith(24);
    region.start();
    pass(180);
    const one = region.hub.intents.get(KEY)!;
    region.addService({ ...one, key: 'default/speech', replicas: 2, maximum: 2 });
    pass(180);
    expect(region.hub.records.get('default/speech')).toMatchObject({ waiting: 2 });
    expect(pass(600)).toBe(0);
    region.edit(KEY, { replicas: 22, maximum: 22 });
    pass(60);
    expect(record().waiting).toBe(0);
    expect(ready()).toBe(22);
    expect(region.hub.records.get('default/speech')).toMatchObject({ waiting: 0 });
  });

  test('nor within the grace of a late city; the next look is due when the grace is over', () => {
    const { region, pass, city, last, record } = regionWith(6);
    region.start();
    pass(180);
    city('porto').lose();
    pass(GRACE_SECONDS - 3);
    expect(record().shares.get('porto')?.standing.phase).toBe('Suspect');
    expect(last().isRestless).toBe(false);
    expect(pass(1)).toBe(0);
    const { heardAtMs } = region.hub.knowledge().find(({ name }) => name === 'porto')!;
    expect(last().dueAtMs).toBe(heardAtMs! + GRACE_SECONDS * 1000);
  });

  test('nor for a city that others see, nor for one that was replaced', () => {
    const { region, pass, city, ready, record } = regionWith(6);
    region.start();
    pass(180);
    region.network.cut('porto', HUB);
    pass(120);
    expect(record().shares.get('porto')?.standing).toMatchObject({ hold: { because: 'SeenByOther' } });
    expect(pass(600)).toBeLessThan(60);
    city('porto').lose();
    pass(180);
    expect(record().shares.get('porto')?.standing.phase).toBe('Moved');
    expect(ready()).toBe(6);
    expect(pass(600)).toBe(0);
  });
});
