/**
 * Trains the releases and writes them to models/1, models/2 …
 *
 *   node model-server/native/build.ts && node examples/traffic/train.ts [--version N]
 *
 * About twenty seconds on one core. Seeds are fixed; what is left of chance is the order in which TensorFlow's threads add
 * up, so a new run comes within a few percent of the committed models' errors.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readObservations, timeOf } from './dataset.ts';
import { buildNetwork } from './network.ts';
import { type Case, casesOf, heldOut, modelScore, naiveScore, RELEASES, type Release } from './releases.ts';
import { formatScore, improvementPercent } from './score.ts';
import { tf } from './tensorflow.ts';
import { forecast, train } from './training.ts';

const SEED = 7;

async function make(release: Release, cases: readonly Case[]): Promise<void> {
  const known = cases.filter(({ hour }) => hour < release.trainedBefore);
  const unseen = heldOut(cases);
  console.log(
    `version ${release.version}: ${known.length} hours before ${timeOf(release.trainedBefore)}, ${release.epochs} epochs`,
  );
  const started = performance.now();
  const model = buildNetwork({ hiddenUnits: release.hiddenUnits, seed: SEED });
  await train(model, known, {
    epochs: release.epochs,
    batchSize: 256,
    learningRate: 0.003,
    seed: SEED,
    onEpoch: (epoch, mae) => {
      if (epoch % 5 === 0) console.log(`  epoch ${epoch}: training MAE ${mae.toFixed(1)}`);
    },
  });
  const directory = new URL(`models/${release.version}/`, import.meta.url);
  mkdirSync(directory, { recursive: true });
  await model.save(`file://${directory.pathname}`);
  const score = modelScore(
    unseen,
    forecast(
      model,
      unseen.map(({ features }) => features),
    ),
  );
  const naive = naiveScore(unseen);
  console.log(
    `  trained in ${((performance.now() - started) / 1000).toFixed(0)} s\n` +
      `  held-out month:       ${formatScore(score)}\n` +
      `  same hour last week:  ${formatScore(naive)}\n` +
      `  MAE is ${improvementPercent(score, naive).toFixed(0)} % lower`,
  );
}

const { values } = parseArgs({ options: { version: { type: 'string' } } });
const wanted = RELEASES.filter(({ version }) => !values.version || version === Number(values.version));
if (wanted.length === 0) throw new Error(`--version is ${values.version}; expected one of models/`);
await tf.ready();
const cases = casesOf(readObservations());
for (const release of wanted) await make(release, cases);
