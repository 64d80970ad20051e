import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { hostTool } from '../region/go-programs.ts';
import type { ServedModel } from './served-model.ts';

/** Events that belong to a change arrive a little after the change has been seen otherwise. */
const LAST_EVENTS_MILLISECONDS = 500;

/**
 * Everything that objects were while `work` went on, in order. A watch is shown every state, also one that lasts for
 * milliseconds between two looks.
 *
 * @param what as `kubectl get` takes it: `['deployment', 'traffic']`, `['pods', '-l', …]`
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
  const first = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      states.push(JSON.parse(line) as T);
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
    await new Promise((later) => setTimeout(later, LAST_EVENTS_MILLISECONDS));
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
