/** What must be true when all has been calm for a while. */
import type { ServiceRecord } from '../../../operator/plan/failover/records.ts';
import { candidatesFor } from '../../../operator/plan/placement/candidates.ts';
import type { City } from '../../../operator/plan/placement/city.ts';
import type { SimulatedCity } from './city.ts';
import type { SimulatedHub } from './hub.ts';
import { broken, holdersIn } from './invariants.ts';

export function checkConverged(hub: SimulatedHub, cities: ReadonlyMap<string, SimulatedCity>): void {
  const holders = holdersIn(cities);
  for (const [key, intent] of hub.intents) {
    const record = hub.records.get(key);
    if (!record) broken(key, 'the hub has no record of it');
    for (const share of record.shares.values()) {
      const { city, assigned, grant, standing } = share;
      const obeyed = cities.get(city)!.held.get(key)?.grant;
      if (standing.phase !== 'Serving') broken(key, `${city} is still ${standing.phase}`);
      const isStuck = grant.floor > assigned && record.waiting > 0;
      if (grant.floor !== assigned && !isStuck)
        broken(key, `${city} is to have ${assigned} and is granted ${grant.floor}`);
      if ((obeyed?.epoch ?? 0) !== grant.epoch)
        broken(key, `${city} obeys #${obeyed?.epoch}, granted is #${grant.epoch}`);
      const { ready } = cities.get(city)!.podsOf(key);
      if (ready < grant.floor) broken(key, `${city} has ${ready} ready of ${grant.floor}`);
    }
    const held = holders.get(key) ?? [];
    const ceilings = held.reduce((sum, { ceiling }) => sum + ceiling, 0);
    const stuck = [...record.shares.values()].reduce(
      (sum, { grant, assigned }) => sum + Math.max(0, grant.floor - assigned),
      0,
    );
    if (ceilings > Math.max(intent.maximum, intent.replicas) + stuck) {
      broken(key, `the cities may run ${ceilings}, the maximum is ${intent.maximum}`);
    }
    for (const { city: name, ceiling } of held) {
      if (ceiling > 0 && !record.shares.has(name))
        broken(key, `${name} holds ${ceiling} that nobody knows of`);
    }
    if (record.waiting > 0) checkWaiting(key, record, hub);
  }
}

/** Who waits has no room anywhere, and nobody of a lower priority has any that it could use. */
function checkWaiting(key: string, record: ServiceRecord, hub: SimulatedHub): void {
  const intent = hub.intents.get(key)!;
  if (intent.placement.spread?.whenUnsatisfiable === 'DoNotSchedule') return;
  const cities = hub.knowledge().map((city): City => ({ ...city, condition: 'Steady' }));
  for (const { city, verdict } of candidatesFor(intent.placement, cities)) {
    if (verdict.kind !== 'Open' && verdict.kind !== 'LastResort') continue;
    const fits = intent.demand.every(({ resource, amount }) => {
      let used = 0;
      for (const [other, { shares }] of hub.records) {
        const { demand, priority } = hub.intents.get(other)!;
        const share = shares.get(city.name);
        if (!share || (priority < intent.priority && other !== key)) continue;
        const each = demand.find((one) => one.resource === resource)?.amount ?? 0;
        used += each * Math.max(share.assigned, share.isYielding ? 0 : share.grant.floor);
      }
      return used + amount <= (city.capacity[resource] ?? 0);
    });
    if (fits)
      broken(key, `${record.waiting} replicas wait although ${city.name} has room (${record.why?.message})`);
  }
}
