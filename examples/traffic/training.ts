/** Fits the network: mean absolute error, Adam, a learning rate that falls along a cosine, batches in seeded order. */
import type { LayersModel, Tensor } from '@tensorflow/tfjs-node';
import type { Features } from './features.ts';
import { tf } from './tensorflow.ts';

/** Features and what was counted. */
export interface Example {
  readonly features: Features;
  readonly users: number;
}

export interface TrainingPlan {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  /** After each epoch, with the mean absolute error over its batches in users per hour. */
  readonly onEpoch?: (epoch: number, mae: number) => void;
}

export async function train(
  model: LayersModel,
  examples: readonly Example[],
  plan: TrainingPlan,
): Promise<void> {
  const optimizer = tf.train.adam(plan.learningRate);
  model.compile({ optimizer, loss: 'meanAbsoluteError' });
  const { inputs, users } = tensorsOf(examples);
  const random = mulberry32(plan.seed);
  const steps = Math.ceil(examples.length / plan.batchSize);
  for (let epoch = 0; epoch < plan.epochs; epoch++) {
    const order = shuffled(examples.length, random);
    let error = 0;
    for (let step = 0; step < steps; step++) {
      const done = (epoch * steps + step) / (plan.epochs * steps);
      (optimizer as unknown as { learningRate: number }).learningRate =
        plan.learningRate * 0.5 * (1 + Math.cos(Math.PI * done));
      const rows = tf.tensor1d(order.slice(step * plan.batchSize, (step + 1) * plan.batchSize), 'int32');
      const batch = [...inputs, users].map((tensor) => tf.gather(tensor, rows));
      error += (await model.trainOnBatch(batch.slice(0, 3), batch[3] as Tensor)) as number;
      tf.dispose([rows, ...batch]);
    }
    plan.onEpoch?.(epoch + 1, error / steps);
  }
  tf.dispose([...inputs, users]);
  optimizer.dispose();
}

/** Users per hour for each row; never negative. */
export function forecast(model: LayersModel, rows: readonly Features[]): number[] {
  return tf.tidy(() => {
    const { inputs } = tensorsOf(rows.map((features) => ({ features, users: 0 })));
    return [...(model.predict(inputs) as Tensor).dataSync()];
  });
}

function tensorsOf(examples: readonly Example[]): { inputs: Tensor[]; users: Tensor } {
  const column = (name: keyof Features) => tf.tensor2d(examples.map(({ features }) => [...features[name]]));
  return {
    inputs: [column('calendar'), column('weather'), column('history')],
    users: tf.tensor2d(examples.map(({ users }) => [users])),
  };
}

function shuffled(length: number, random: () => number): number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}

/** A small seeded generator of numbers in [0, 1); Math.random cannot be seeded. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
