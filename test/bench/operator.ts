/**
 * How the operator fares with hundreds of services, beside a bare client that writes the same objects:
 *
 *   npm run bench:operator -- [--json] [--services=500] [--edits=100] [--profile=DIRECTORY]
 *
 * `--profile` leaves a CPU profile of the operator for the whole round.
 */
import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { REPORT_PATH } from '../../crds/pod-contract.ts';
import { makeAuthority } from '../../operator/certificates/issue.ts';
import { HttpKubeClient } from '../../operator/kube/http-client.ts';
import type { Settings } from '../../operator/plan/observed.ts';
import { say, step } from '../region/progress.ts';
import { bareRound, type RoundOptions, type RoundTimes } from './bare-round.ts';
import { type BenchCity, deleteNamespace, OPERATOR_NAMESPACE, startBenchCity } from './city.ts';
import { REPLICAS } from './fleet.ts';
import { machine } from './machine.ts';
import { OperatorProcess, untilPortsAreFree } from './operator-process.ts';
import { between, operatorRound, untilQuiet } from './operator-round.ts';
import { type Measured, operatorRows } from './operator-rows.ts';
import { print } from './print.ts';
import type { Usage } from './probe.ts';

const MODEL_SERVER_IMAGE = 'aicity/model-server:bench';
const TIMEOUT_SECONDS = 600;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    services: { type: 'string', default: '500' },
    edits: { type: 'string', default: '100' },
    profile: { type: 'string' },
  },
});
const services = wholeNumber('services', values.services);
const edits = wholeNumber('edits', values.edits);

const here = machine();
const bench = await startBenchCity(services * REPLICAS);
try {
  print({ machine: here, rows: operatorRows(await measure(bench), { services, edits }) }, values);
} finally {
  await bench.stop();
}

async function measure(bench: BenchCity): Promise<Measured> {
  const client = new HttpKubeClient({ loadConfig: () => bench.admin });
  const settings = await settingsLikeTheOperators();
  const inNamespace = async <T>(name: string, work: (options: RoundOptions) => Promise<T>): Promise<T> => {
    const namespace = `bench-${name}-${randomUUID().slice(0, 8)}`;
    await bench.city.kubectl(['create', 'namespace', namespace]);
    const options = {
      client,
      city: bench.city,
      admin: bench.admin,
      namespace,
      services,
      edits,
      timeoutSeconds: TIMEOUT_SECONDS,
    };
    const result = await step(`${services} services, ${name}`, () => work(options));
    await step(`deleting what ${name} made`, () => deleteNamespace(bench.city, namespace));
    return result;
  };
  const bare = (name: string): Promise<RoundTimes> =>
    inNamespace(name, (options) => bareRound(options, bench.operator, settings));
  try {
    const before = await bare('bare-1');
    const ours = await inNamespace('operator', (options) => measureOperator(bench, options));
    const after = await bare('bare-2');
    return { ...ours, bare: [before, after] };
  } finally {
    await client.close();
  }
}

async function measureOperator(bench: BenchCity, options: RoundOptions): Promise<Omit<Measured, 'bare'>> {
  const address = await bench.city.hostAddress();
  const start = (name: string, profileDirectory?: string) =>
    new OperatorProcess({
      programPath: bench.operatorProgramPath,
      kubeconfigPath: bench.operatorKubeconfigPath,
      namespace: OPERATOR_NAMESPACE,
      address,
      modelServerImage: MODEL_SERVER_IMAGE,
      logPath: join(bench.directory, `${name}.log`),
      profileDirectory,
    });

  await step('waiting for ports that the operator needs', () => untilPortsAreFree(TIMEOUT_SECONDS));
  const first = start('operator', values.profile && resolve(values.profile));
  try {
    await first.untilLookedAt(0, 60);
    const round = await operatorRound(options, first);
    const last = await first.usage();
    tell('until it was at rest', round.settling);
    await first.stop();

    const second = start('restarted');
    try {
      const lookedAtAt = await second.untilLookedAt(services, TIMEOUT_SECONDS);
      const restarted = await second.usage();
      const settled = await untilQuiet(second, TIMEOUT_SECONDS);
      await second.stop();
      tell('after a restart', settled);
      return {
        round,
        peakResidentBytes: last.peakResidentBytes,
        restart: {
          seconds: (lookedAtAt - second.startedAt) / 1000,
          usage: restarted,
          afterwards: between(restarted, settled),
        },
      };
    } finally {
      second.kill();
    }
  } finally {
    first.kill();
  }
}

/** The objects are to be as large as the operator's, and in its place they carry an authority. */
async function settingsLikeTheOperators(): Promise<Settings> {
  return {
    operatorNamespace: OPERATOR_NAMESPACE,
    operatorPort: 9443,
    reportUrl: `https://aicity-operator.${OPERATOR_NAMESPACE}.svc${REPORT_PATH}`,
    reportAuthorities: (await makeAuthority(new Date())).certificatePem,
    image: MODEL_SERVER_IMAGE,
    gpuImage: `${MODEL_SERVER_IMAGE}-gpu`,
    imagePullPolicy: 'IfNotPresent',
    imagePullSecrets: [],
  };
}

/** For whoever wonders what the requests were. */
function tell(when: string, { requests }: Usage): void {
  const counts = Object.entries(requests).sort(([, a], [, b]) => b - a);
  say(`requests ${when}: ${counts.map(([name, count]) => `${count} ${name}`).join(', ')}`);
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  process.stderr.write(`--${option} is "${text}"; expected a whole number above 0\n`);
  process.exit(2);
}
