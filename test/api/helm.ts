import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { repository } from '../region/cache.ts';
import { run } from '../region/command.ts';
import { hostTool } from '../region/go-programs.ts';

export const chart = join(repository, 'charts', 'aicity-operator');

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

/** Runs helm without a cluster. */
export async function helm(args: string[]): Promise<string> {
  return await run(await hostTool('helm'), args);
}

/** What the chart gives with these values, as text. */
export async function render(settings: string[] = [], namespace = 'aicity-system'): Promise<string> {
  const set = settings.flatMap((setting) => ['--set', setting]);
  return await helm(['template', 'aicity-operator', chart, '--namespace', namespace, ...set]);
}

/** The same as objects. */
export async function renderObjects(settings: string[] = [], namespace?: string): Promise<Manifest[]> {
  return loadAll(await render(settings, namespace)).filter((object) => object !== null) as Manifest[];
}
