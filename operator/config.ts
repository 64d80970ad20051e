/** What the installation tells the operator, from environment variables. */
import { hostname } from 'node:os';
import type { Level } from 'pino';
import { isCityName, MAX_CITY_NAME_LENGTH } from '../crds/region.ts';
import { OPERATOR_TLS_PORT } from './plan/ports.ts';
import type { CityRole } from './reconcile/agent/city-agent.ts';

export interface Config {
  readonly namespace: string;
  readonly podName: string;
  readonly podIp: string;
  /** The operator's own Service, to which pods report. */
  readonly serviceName: string;
  readonly modelServerImage: string;
  readonly modelServerGpuImage: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  readonly metricsAdapter: boolean;
  /** Whether this cluster places services over cities. */
  readonly hub: boolean;
  /** Set where this cluster is a city of a hub. */
  readonly city?: CityRole;
  /** Of the operator itself, for the hub to show. */
  readonly operatorVersion?: string;
  readonly logLevel: Level | 'silent';
  /** Of the pod: reports and metrics of models. */
  readonly tlsPort: number;
  readonly healthPort: number;
  readonly metricsPort: number;
}

/** Names the variable, what was found and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Readonly<Record<string, string | undefined>>;

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;

/** @throws ConfigError */
export function readConfig(environment: Environment): Config {
  const text = (name: string, otherwise?: string) => {
    const value = environment[name]?.trim() || otherwise;
    if (value === undefined) throw new ConfigError(`${name} is not set; the chart sets it`);
    return value;
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[], otherwise: T): T => {
    const value = text(name, otherwise);
    if ((allowed as readonly string[]).includes(value)) return value as T;
    throw new ConfigError(`${name} is "${value}"; expected one of ${allowed.join(', ')}`);
  };
  const port = (name: string, otherwise: number) => {
    const value = Number(text(name, `${otherwise}`));
    if (Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
    throw new ConfigError(`${name} is "${environment[name]}"; expected a port, 1 to 65535`);
  };
  const operatorVersion = environment['AICITY_VERSION']?.trim();
  return {
    namespace: text('AICITY_OPERATOR_NAMESPACE'),
    podName: text('AICITY_POD_NAME', hostname()),
    podIp: text('AICITY_POD_IP'),
    serviceName: text('AICITY_SERVICE_NAME', 'aicity-operator'),
    modelServerImage: text('AICITY_MODEL_SERVER_IMAGE'),
    modelServerGpuImage: text('AICITY_MODEL_SERVER_GPU_IMAGE'),
    imagePullPolicy: oneOf('AICITY_IMAGE_PULL_POLICY', PULL_POLICIES, 'IfNotPresent'),
    imagePullSecrets: text('AICITY_IMAGE_PULL_SECRETS', ',')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    metricsAdapter: oneOf('AICITY_METRICS_ADAPTER', ['enabled', 'disabled'], 'enabled') === 'enabled',
    hub: oneOf('AICITY_HUB', ['enabled', 'disabled'], 'disabled') === 'enabled',
    ...cityRole(environment),
    ...(operatorVersion && { operatorVersion }),
    logLevel: oneOf('AICITY_LOG_LEVEL', LOG_LEVELS, 'info'),
    // The chart's Service, probes and network policies name these.
    tlsPort: port('AICITY_TLS_PORT', OPERATOR_TLS_PORT),
    healthPort: port('AICITY_HEALTH_PORT', 8081),
    metricsPort: port('AICITY_METRICS_PORT', 8080),
  };
}

function cityRole(environment: Environment): { city?: CityRole } {
  const value = (name: string) => environment[name]?.trim() || undefined;
  const name = value('AICITY_CITY_NAME');
  const hubKubeconfig = value('AICITY_HUB_KUBECONFIG');
  if (name === undefined) {
    if (hubKubeconfig === undefined) return {};
    throw new ConfigError('AICITY_HUB_KUBECONFIG is set without AICITY_CITY_NAME, by which the hub knows us');
  }
  if (!isCityName(name)) {
    throw new ConfigError(
      `AICITY_CITY_NAME is "${name}"; expected at most ${MAX_CITY_NAME_LENGTH} lower-case letters, digits and dashes`,
    );
  }
  if (hubKubeconfig === undefined) {
    throw new ConfigError(
      'AICITY_CITY_NAME is set without AICITY_HUB_KUBECONFIG, the file that leads to the hub',
    );
  }
  const address = value('AICITY_CITY_ADDRESS');
  const endpointTemplate = value('AICITY_CITY_ENDPOINT_TEMPLATE');
  return {
    city: { name, hubKubeconfig, ...(address && { address }), ...(endpointTemplate && { endpointTemplate }) },
  };
}
