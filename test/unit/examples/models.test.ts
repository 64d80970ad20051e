/**
 * The committed models score what the READMEs say. They run on TensorFlow.js without native TensorFlow here, so that
 * this needs nothing built; the two differ in the last digits of a float.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { readObservations } from '../../../examples/traffic/dataset.ts';
import { casesOf, heldOut, modelScore, naiveScore, RELEASES } from '../../../examples/traffic/releases.ts';
import { formatScore, improvementPercent } from '../../../examples/traffic/score.ts';

// Says nothing of the faster native backend.
tf.enableProdMode();

const traffic = new URL('../../../examples/traffic/', import.meta.url);
const readme = readFileSync(new URL('README.md', traffic), 'utf8');
const cases = heldOut(casesOf(readObservations()));
const naive = naiveScore(cases);

async function load(version: number): Promise<tf.LayersModel> {
  const directory = new URL(`models/${version}/`, traffic);
  const { modelTopology, weightsManifest } = JSON.parse(
    readFileSync(new URL('model.json', directory), 'utf8'),
  );
  const [group] = weightsManifest;
  const weights = readFileSync(new URL(group.paths[0], directory));
  return await tf.loadLayersModel({
    load: async () => ({
      modelTopology,
      weightSpecs: group.weights,
      weightData: weights.buffer.slice(
        weights.byteOffset,
        weights.byteOffset + weights.length,
      ) as ArrayBuffer,
    }),
  });
}

function forecast(model: tf.LayersModel, rows: typeof cases): number[] {
  return tf.tidy(() => {
    const inputs = (['calendar', 'weather', 'history'] as const).map((name) =>
      tf.tensor2d(rows.map(({ features }) => [...features[name]])),
    );
    return [...(model.predict(inputs) as tf.Tensor).dataSync()];
  });
}

test('the held-out month is the last one, and no release has seen it', () => {
  expect(cases).toHaveLength(742);
  for (const { trainedBefore } of RELEASES) expect(trainedBefore).toBeLessThanOrEqual(cases[0]!.hour);
  expect(readme).toContain(formatScore(naive));
});

describe.each(RELEASES)('version $version', ({ version }) => {
  test('beats the same hour last week by more than 35 percent, by what the README says', async () => {
    const score = modelScore(cases, forecast(await load(version), cases));
    expect(improvementPercent(score, naive)).toBeGreaterThan(35);
    expect(readme).toContain(formatScore(score));
  });

  test('gives finite, non-negative counts for any hour that can be asked', async () => {
    const model = await load(version);
    const extremes = [
      { calendar: [0, 0, 0, 0, 1], weather: [1, -20, -30, 0, 0], history: [0, 0, 0, 0, 0] },
      { calendar: [23, 6, 1, 0, 366], weather: [4, 45, 60, 100, 67], history: [977, 977, 977, 500, 500] },
    ];
    const forecasts = forecast(
      model,
      extremes.map((features) => ({ ...cases[0]!, features })),
    );
    for (const users of forecasts) {
      expect(users).toBeGreaterThanOrEqual(0);
      expect(users).toBeLessThan(5_000);
    }
  });
});
