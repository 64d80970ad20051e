/** The region at a glance: each city as the hub knows it, and what clients hear from it. */
import type { CityCluster } from '../../crds/city-cluster.ts';
import type { ModelService } from '../../crds/model-service.ts';
import { resources } from '../../operator/kube/resources.ts';
import type { EndpointClients } from '../../test/region/endpoint-clients.ts';
import { HUB_NAME, type Region } from '../../test/region/region.ts';
import { NAME, NAMESPACE } from './traffic-service.ts';

export interface CityLine {
  readonly city: string;
  /** Reason of its Ready condition. */
  readonly state: string;
  readonly ready: number;
  readonly guaranteed: number;
  readonly known: boolean;
  /** Share of the requests that are sent there. */
  readonly weight: number;
  /** Why it has what it has. */
  readonly decision: string;
}

export async function lookAt(region: Region): Promise<{ service: ModelService; lines: CityLine[] }> {
  const hub = region.client(HUB_NAME);
  const [service, clusters] = await Promise.all([
    hub.get<ModelService>(resources.ModelService, { name: NAME, namespace: NAMESPACE }),
    hub.list<CityCluster>(resources.CityCluster),
  ]);
  const lines = clusters.items.map(({ metadata: { name }, status }): CityLine => {
    const share = service.status?.cities?.find(({ city }) => city === name);
    return {
      city: name,
      state: status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? 'NeverHeard',
      ready: share?.readyReplicas ?? 0,
      guaranteed: share?.guaranteed ?? 0,
      known: share?.known ?? true,
      weight: service.status?.endpoints?.find(({ city }) => city === name)?.weight ?? 0,
      decision: service.status?.decisions?.find(({ city }) => city === name)?.message ?? '',
    };
  });
  return { service, lines };
}

/** One line per city, and below them the clients. */
export function picture(lines: readonly CityLine[], clients: ClientFigures): string[] {
  const rows = lines.map(({ city, state, ready, guaranteed, known, weight, decision }) => {
    const replicas = `${(known ? '●' : '?').repeat(ready)}${'○'.repeat(Math.max(0, guaranteed - ready))}`;
    const rate = `${(clients.perSecond[city] ?? 0).toFixed(0)}/s`;
    return [
      city.padEnd(8),
      state.padEnd(11),
      replicas.padEnd(7),
      `weight ${weight}`,
      rate.padStart(6),
      decision,
    ].join('  ');
  });
  const { answered, unanswered } = clients;
  return [...rows, `clients: ${answered} requests answered, ${unanswered} not`];
}

export interface ClientFigures {
  readonly perSecond: Readonly<Record<string, number>>;
  readonly answered: number;
  readonly unanswered: number;
}

/** Figures of clients from one look to the next. */
export class ClientMeter {
  readonly #clients: EndpointClients;
  #before = new Map<string, number>();
  #atMs = performance.now();

  constructor(clients: EndpointClients) {
    this.#clients = clients;
  }

  read(): ClientFigures {
    const now = performance.now();
    const seconds = (now - this.#atMs) / 1000;
    const answered = new Map(this.#clients.answered);
    const perSecond = [...answered].map(([city, count]) => [
      city,
      (count - (this.#before.get(city) ?? 0)) / seconds,
    ]);
    this.#before = answered;
    this.#atMs = now;
    return {
      perSecond: Object.fromEntries(perSecond),
      answered: this.#clients.answeredInAll,
      unanswered: this.#clients.unanswered.length,
    };
  }
}
