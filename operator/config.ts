/** What the installation tells the operator, from environment variables. */
import { hostname } from 'node:os';
import type { Level } from 'pino';

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
  readonly logLevel: Level | 'silent';
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
    logLevel: oneOf('AICITY_LOG_LEVEL', LOG_LEVELS, 'info'),
    ...PORTS,
  };
}

/** Fixed: the chart's Service, probes and network policies name them. */
const PORTS = { tlsPort: 9443, healthPort: 8081, metricsPort: 8080 } as const;
