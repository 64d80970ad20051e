import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { hostTool } from '../region/go-programs.ts';
import type { ServedModel } from './served-model.ts';

/** A watch shows a change a little after it has been seen otherwise. */
const LAST_STATE_WITHIN_SECONDS = 60;

/**
 * Everything that an object was while `work` went on, up to what it is after that, in order. A watch is shown every
 * state, also one that lasts for milliseconds between two looks.
 *
 * @param what as `kubectl get` takes it: `['deployment', 'traffic']`
 */
export async function watchWhile<T>(
  model: ServedModel,
  what: string[],
  work: () => Promise<unknown>,
): Promise<T[]> {
  const where = ['--kubeconfig', model.city.kubeconfigPath, '-n', model.namespace];
  const args = [...where, 'get', ...what, '--watch', '-o', 'jsonpath={@}{"\\n"}'];
  const child = spawn(await hostTool('kubectl'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  child.stderr.on('data', (text) => said.push(String(text)));
  const states: T[] = [];
  const versions = new Set<string>();
  const first = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const state = JSON.parse(line);
      states.push(state as T);
      versions.add(state.metadata.resourceVersion);
      resolve();
    });
    child.on('error', reject);
    child.on('close', () =>
      reject(new Error(`kubectl get ${what.join(' ')} --watch ended: ${said.join('')}`)),
    );
  });
  try {
    await first;
    await work();
    const last = await model.kubectl(['get', ...what, '-o', 'jsonpath={.metadata.resourceVersion}']);
    await model.city.until('the watch shows the last state', LAST_STATE_WITHIN_SECONDS, async () => {
      if (versions.has(last)) return true;
      throw new Error(`the watch of ${what.join(' ')} is behind or has ended: ${said.join('')}`);
    });
    if (child.exitCode !== null)
      throw new Error(`the watch of ${what.join(' ')} ended early: ${said.join('')}`);
    return states;
  } finally {
    child.kill();
  }
}

/** A list without repetitions that follow each other. */
export function changesOf<T>(values: readonly T[]): T[] {
  return values.filter((value, at) => at === 0 || value !== values[at - 1]);
}
