/**
 * Cities for people to try things in: they stay until they are taken down.
 *
 *   npm run region -- up [NAME] [--gpus=N] [--light] [--kwok-nodes=N] [--wan=NETWORK]
 *   npm run region -- status
 *   npm run region -- kubectl [--city=NAME] ARGUMENT...
 *   npm run region -- helm [--city=NAME] ARGUMENT...
 *   npm run region -- down [NAME...]        all of them when no name is given
 *   npm run region -- scenario FILE         a hub and cities, and what test/region/scenarios/*.yaml say of them
 *   npm run region -- stop-engine [--purge] when the region started a container engine of its own
 */
import { parseArgs } from 'node:util';
import { keptOwner } from './abandoned.ts';
import { City, listCities, removeContainer } from './city.ts';
import { runAttached } from './command.ts';
import { docker } from './docker.ts';
import { ensureEngine } from './engine.ts';
import { hostTool } from './go-programs.ts';
import { stopOwnEngine } from './own-engine.ts';
import { say, step } from './progress.ts';
import { playOnClusters } from './scenarios/play.ts';
import { type CityOptions, startCity } from './start-city.ts';

const usage = `Usage: npm run region -- COMMAND
  up [NAME] [--gpus=N] [--light] [--kwok-nodes=N] [--wan=NETWORK]   start a city (default name: porto)
  status                                                            list the cities that run
  kubectl [--city=NAME] ARGUMENT...                                 run kubectl against a city
  helm [--city=NAME] ARGUMENT...                                    run helm against a city
  down [NAME...]                                                    take cities down; all without a name
  scenario FILE                                                     play a scenario on a region of its own
  stop-engine [--purge]                                             stop the region's own container engine`;

async function up(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      gpus: { type: 'string' },
      light: { type: 'boolean' },
      'kwok-nodes': { type: 'string' },
      wan: { type: 'string' },
    },
  });
  const name = positionals[0] ?? 'porto';
  const existing = (await keptCities()).find((city) => city.name === name);
  const options: CityOptions = { name, keep: true };
  if (values.gpus) options.gpus = Number(values.gpus);
  if (values.light) options.light = true;
  if (values['kwok-nodes']) options.kwokNodes = Number(values['kwok-nodes']);
  if (values.wan) options.wan = values.wan;
  const city = existing ? await started(existing.container) : await startCity(options);
  say(`city ${name} is up`);
  say(`look around:  npm run region -- kubectl --city=${name} get pods --all-namespaces`);
  say(`or:           export KUBECONFIG=${city.kubeconfigPath}`);
  say(`tear down:    npm run region -- down ${name}`);
  return 0;
}

/** A city that was stopped or killed, with the engine perhaps, is started again with its data. */
async function started(container: string): Promise<City> {
  const running = await City.of(container).catch(() => undefined);
  if (running) return running;
  return await step(`starting ${container} again`, async () => {
    await docker(['start', container]);
    const city = await City.of(container);
    await city.untilUp();
    return city;
  });
}

async function status(): Promise<number> {
  const cities = await listCities();
  if (cities.length === 0) say('no city runs; start one with: npm run region -- up');
  for (const { name, container, owner } of cities) {
    const city = await City.of(container).catch(() => undefined);
    const state = city
      ? await city.untilUp(2).then(
          () => 'up',
          () => 'not answering',
        )
      : 'not running';
    const role = owner === keptOwner ? '' : ', started by a test run';
    process.stdout.write(`${name}: ${state}${role}${city ? `, KUBECONFIG=${city.kubeconfigPath}` : ''}\n`);
  }
  return 0;
}

async function throughTool(tool: 'kubectl' | 'helm', args: string[]): Promise<number> {
  const wanted = args[0]?.startsWith('--city=') ? args.shift()!.slice('--city='.length) : undefined;
  const candidates = (await keptCities()).filter((city) => !wanted || city.name === wanted);
  const [chosen] = candidates;
  if (!chosen)
    throw new Error(`City ${wanted ?? ''} does not run; start it with: npm run region -- up ${wanted ?? ''}`);
  if (candidates.length > 1) {
    const names = candidates.map((city) => city.name).join(', ');
    throw new Error(`Several cities run (${names}); choose one with --city=NAME`);
  }
  const city = await City.of(chosen.container);
  return await runAttached(await hostTool(tool), ['--kubeconfig', city.kubeconfigPath, ...args]);
}

async function down(names: string[]): Promise<number> {
  const cities = (await keptCities()).filter((city) => names.length === 0 || names.includes(city.name));
  for (const { name, container } of cities)
    await step(`taking ${name} down`, () => removeContainer(container));
  say(cities.length === 0 ? 'no such city runs' : `down: ${cities.map((city) => city.name).join(', ')}`);
  return 0;
}

async function scenario([file]: string[]): Promise<number> {
  if (!file) throw new Error('scenario needs a file, such as test/region/scenarios/drain.yaml');
  await playOnClusters(file);
  return 0;
}

async function keptCities() {
  return (await listCities()).filter((city) => city.owner === keptOwner);
}

const [command, ...args] = process.argv.slice(2);
try {
  if (command === 'stop-engine') {
    await stopOwnEngine({ purge: args.includes('--purge') });
  } else {
    const commands: Record<string, () => Promise<number>> = {
      up: () => up(args),
      status,
      kubectl: () => throughTool('kubectl', args),
      helm: () => throughTool('helm', args),
      down: () => down(args),
      scenario: () => scenario(args),
    };
    const chosen = commands[command ?? ''];
    if (chosen) {
      await ensureEngine();
      process.exitCode = await chosen();
    } else {
      process.stderr.write(`${usage}\n`);
      process.exitCode = command ? 2 : 0;
    }
  }
} catch (error) {
  process.stderr.write(`[region] ${(error as Error).message}\n`);
  process.exitCode = 1;
}
