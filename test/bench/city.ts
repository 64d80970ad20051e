/** The cluster that the operator is measured on, ready for it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { API_SERVICE_NAMES } from '../../operator/rbac/names.ts';
import { applyAll, operatorConfig, operatorService } from '../api/operator-account.ts';
import { bundleOperator } from '../region/bundle.ts';
import type { City } from '../region/city.ts';
import { startCity } from '../region/start-city.ts';
import { metricSum } from './metric-sum.ts';

export const OPERATOR_NAMESPACE = 'aicity-system';
const GPUS_PER_NODE = 16;

export interface BenchCity {
  readonly city: City;
  readonly admin: KubeConfig;
  /** The service account that the chart makes, with the chart's rights. */
  readonly operator: KubeConfig;
  /** The same, as a file. */
  readonly operatorKubeconfigPath: string;
  /** The operator's program, bundled as for its image. */
  readonly operatorProgramPath: string;
  /** For logs; gone with the city. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** A control plane with fake nodes for so many pods of one GPU each, twice over. */
export async function startBenchCity(pods: number): Promise<BenchCity> {
  const kwokNodes = Math.max(4, Math.ceil((2 * pods) / GPUS_PER_NODE));
  const city = await startCity({ name: 'bench', kwokNodes, gpus: GPUS_PER_NODE });
  const directory = mkdtempSync(join(tmpdir(), 'aicity-bench-'));
  const stop = async () => {
    await city.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const definition = join(import.meta.dirname, '../../crds/modelservices.aicity.io.yaml');
    await city.apply(readFileSync(definition, 'utf8'));
    await city.until('ModelServices are served', 60, async () => {
      await city.kubectl(['get', 'modelservices', '--all-namespaces']);
      return true;
    });
    await city.kubectl(['create', 'namespace', OPERATOR_NAMESPACE]);
    await applyAll(city, [operatorService(OPERATOR_NAMESPACE)]);
    const operator = await operatorConfig(city, OPERATOR_NAMESPACE);
    const admin = new KubeConfig();
    admin.loadFromFile(city.kubeconfigPath);
    const operatorKubeconfigPath = join(directory, 'kubeconfig');
    writeFileSync(operatorKubeconfigPath, operator.exportConfig(), { mode: 0o600 });
    for (const [name, content] of await bundleOperator()) writeFileSync(join(directory, name), content);
    const operatorProgramPath = join(directory, 'operator.mjs');
    return { city, admin, operator, operatorKubeconfigPath, operatorProgramPath, directory, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Deletes a namespace with all that is in it. The operator's part of the API goes first when the operator is away:
 * while nobody answers for it, the API server does not know what a namespace holds and keeps it.
 */
export async function deleteNamespace(city: City, name: string): Promise<void> {
  await city.kubectl(['delete', 'apiservice', ...API_SERVICE_NAMES, '--ignore-not-found']);
  await city.kubectl(['delete', 'namespace', name, '--timeout=600s']);
}

/** Processor seconds that the city's API server has used since it began, by its own word. */
export async function apiServerSeconds(city: City): Promise<number> {
  return metricSum(await city.kubectl(['get', '--raw', '/metrics']), 'process_cpu_seconds_total');
}
