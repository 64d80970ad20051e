/**
 * The network: it takes the plain figures of `features.ts` and gives users per hour. Everything that prepares the
 * figures (which hour, which weekday, scales) is in frozen layers, so clients send what they know and nobody has to
 * keep a list of means and deviations beside the model.
 *
 * Two hidden layers decide, from calendar, weather and level, how much each figure of the history counts for this
 * hour. The forecast is the sum of the weighted figures, so a city that grows is followed without new training.
 */
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-node';
import { INPUTS } from './features.ts';
import { tf } from './tensorflow.ts';

export interface NetworkSize {
  /** Units of the two hidden layers. */
  readonly hiddenUnits: readonly [number, number];
  /** Makes the initial weights repeatable. */
  readonly seed: number;
}

/** Inputs `calendar`, `weather`, `history`; output `users`, [batch, 1]. */
export function buildNetwork({ hiddenUnits, seed }: NetworkSize): LayersModel {
  const calendar = input('calendar');
  const weather = input('weather');
  const history = input('history');
  const known = tf.layers.concatenate({ name: 'known' }).apply([
    ...oneHot('hour', calendar, 0, range(0, 23)),
    ...oneHot('weekday', calendar, 1, range(0, 6)),
    // Twelve points of the year, between which it is interpolated.
    ...oneHot(
      'season',
      calendar,
      4,
      range(0, 12).map((month) => 1 + month * 30.5),
    ),
    ...oneHot('sky', weather, 0, range(1, 4)),
    scaled('day', calendar, [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]),
    scaled('air', weather, [0, 1 / 20, 1 / 20, 1 / 50, 1 / 20], [0, 10, 10, 50, 10]),
    scaled('level', history, [1 / 400, 1 / 400, 1 / 400, 1 / 400, 1 / 400], [0, 0, 0, 0, 0]),
  ] as SymbolicTensor[]) as SymbolicTensor;
  const hidden = hiddenUnits.reduce(
    (below, units, layer) =>
      tf.layers
        .dense({
          name: `hidden${layer + 1}`,
          units,
          activation: 'relu',
          kernelInitializer: tf.initializers.heUniform({ seed: seed + layer }),
        })
        .apply(below) as SymbolicTensor,
    known,
  );
  const weights = tf.layers
    .dense({
      name: 'weights',
      units: INPUTS.history.length,
      activation: 'softplus',
      kernelInitializer: tf.initializers.glorotUniform({ seed: seed + 10 }),
      // softplus(-1.4) is about 0.22: it starts at the mean of the five figures.
      biasInitializer: tf.initializers.constant({ value: -1.4 }),
    })
    .apply(hidden) as SymbolicTensor;
  const users = tf.layers.dot({ name: 'users', axes: -1 }).apply([history, weights]) as SymbolicTensor;
  return tf.model({ name: 'traffic', inputs: [calendar, weather, history], outputs: users });
}

function input(name: keyof typeof INPUTS): SymbolicTensor {
  return tf.input({ name, shape: [INPUTS[name].length] });
}

/**
 * One figure as triangles of height 1 around the points: exactly one-hot on the points, interpolated between them.
 * A triangle is ramp(x − left) − 2 ramp(x − middle) + ramp(x − right) in units of the spacing.
 */
function oneHot(
  name: string,
  from: SymbolicTensor,
  column: number,
  points: readonly number[],
): SymbolicTensor[] {
  const spacing = (points[1] ?? 1) - (points[0] ?? 0);
  const columns = from.shape[1] ?? 0;
  const knots = [(points[0] ?? 0) - spacing, ...points, (points.at(-1) ?? 0) + spacing];
  const ramps = frozen(
    `${name}Ramps`,
    range(0, columns - 1).map((row) => knots.map(() => (row === column ? 1 / spacing : 0))),
    knots.map((knot) => -knot / spacing),
    'relu',
  ).apply(from);
  const triangles = frozen(
    name,
    knots.map((_, row) => points.map((_, point) => [1, -2, 1][row - point] ?? 0)),
    points.map(() => 0),
    'linear',
  ).apply(ramps);
  return [triangles as SymbolicTensor];
}

/** Each figure as (figure − centre) × factor. */
function scaled(name: string, from: SymbolicTensor, factors: readonly number[], centres: readonly number[]) {
  return frozen(
    name,
    factors.map((factor, row) => factors.map((_, column) => (row === column ? factor : 0))),
    factors.map((factor, index) => -factor * (centres[index] ?? 0)),
    'linear',
  ).apply(from) as SymbolicTensor;
}

function frozen(
  name: string,
  kernel: readonly (readonly number[])[],
  bias: readonly number[],
  activation: 'relu' | 'linear',
) {
  return tf.layers.dense({
    name,
    units: bias.length,
    activation,
    trainable: false,
    weights: [tf.tensor2d(kernel as number[][]), tf.tensor1d(bias as number[])],
  });
}

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
