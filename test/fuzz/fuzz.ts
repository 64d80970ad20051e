/**
 * `npm run fuzz`: a million inputs for every decoder. `-- --cases 10000 --seed 7 --decoder forecast`.
 *
 * Each decoder runs in a thread of its own, so that one that hangs is seen. Exit code 1 when one failed or hung.
 */
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Campaign, campaign, inputOf } from './campaign.ts';
import { DECODERS, type Decoder } from './decoders.ts';

const HANG_SECONDS = 30;
const TELL_EVERY = 1000;

type Told =
  | { begun: number }
  | { done: Omit<Campaign, 'finding'>; finding?: { number: number; error: string } };

async function fuzz(decoder: Decoder, cases: number, seed: number): Promise<boolean> {
  const startedAt = performance.now();
  const worker = new Worker(new URL(import.meta.url), { workerData: { name: decoder.name, cases, seed } });
  let begun = 0;
  let heardAt = performance.now();
  const told = await new Promise<Exclude<Told, { begun: number }> | 'hangs' | Error>((resolve) => {
    const watch = setInterval(() => {
      if (performance.now() - heardAt > HANG_SECONDS * 1000) resolve('hangs');
    }, 1000);
    worker.on('message', (message: Told) => {
      heardAt = performance.now();
      if ('begun' in message) begun = message.begun;
      else resolve(message);
    });
    worker.on('error', resolve).on('exit', () => clearInterval(watch));
  });
  await worker.terminate();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (told === 'hangs' || told instanceof Error) {
    console.log(`${decoder.name}: ${told} between cases ${begun} and ${begun + TELL_EVERY} of seed ${seed}`);
    return false;
  }
  const { accepted, slowestMilliseconds } = told.done;
  console.log(
    `${decoder.name}: ${told.done.cases} cases in ${seconds} s, ${accepted} accepted, slowest ${slowestMilliseconds.toFixed(1)} ms`,
  );
  if (!told.finding) return true;
  const { number, error } = told.finding;
  console.log(`  case ${number} of seed ${seed} failed: ${error}`);
  console.log(`  input (base64): ${inputOf(decoder, seed, number).toString('base64')}`);
  return false;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      decoder: { type: 'string', default: '' },
    },
  });
  const chosen = DECODERS.filter(({ name }) => name.toLowerCase().includes(values.decoder.toLowerCase()));
  for (const decoder of chosen) {
    if (!(await fuzz(decoder, Number(values.cases), Number(values.seed)))) process.exitCode = 1;
  }
}

if (isMainThread) await main();
else {
  const { name, cases, seed } = workerData as { name: string; cases: number; seed: number };
  // A refusal is an answer here, and where it came from is of no interest.
  Error.stackTraceLimit = 0;
  const begun = (number: number) => number % TELL_EVERY === 0 && parentPort?.postMessage({ begun: number });
  const { finding, ...done } = campaign(DECODERS.find((each) => each.name === name) as Decoder, {
    cases,
    seed,
    begun,
  });
  const error = finding?.error instanceof Error ? (finding.error.stack ?? '') : String(finding?.error);
  parentPort?.postMessage({ done, ...(finding ? { finding: { number: finding.number, error } } : {}) });
}
