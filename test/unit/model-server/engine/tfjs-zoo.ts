/** Small TensorFlow.js models of many kinds, built and saved by TensorFlow.js itself, with random weights. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';

const { layers } = tf;
type Layers = readonly tf.layers.Layer[];

/** Random weights that are repeatable; variances have to be above 0. */
function randomise(model: tf.LayersModel): void {
  let seed = 1;
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647 - 0.5;
  };
  model.setWeights(
    model.weights.map(({ name, shape }) => {
      const sizes = shape as number[];
      const size = sizes.reduce((product, each) => product * each, 1);
      const values = Float32Array.from({ length: size }, () =>
        name.includes('variance') ? random() + 1 : random(),
      );
      return tf.tensor(values, sizes);
    }),
  );
}

const sequential = (...stack: Layers) => tf.sequential({ layers: [...stack] });

function functional(): tf.LayersModel {
  const calendar = tf.input({ shape: [3], name: 'calendar' });
  const history = tf.input({ shape: [3], name: 'history' });
  const shared = layers.dense({ units: 3, activation: 'selu', name: 'shared' });
  const [a, b] = [calendar, history].map((input) => shared.apply(input) as tf.SymbolicTensor) as [
    tf.SymbolicTensor,
    tf.SymbolicTensor,
  ];
  const merges = [
    layers.add().apply([a, b]),
    layers.multiply().apply([a, b]),
    layers.average().apply([a, b]),
    layers.maximum().apply([a, b]),
    layers.minimum().apply([a, b]),
  ] as tf.SymbolicTensor[];
  const inner = sequential(
    layers.dense({ units: 4, inputShape: [15], activation: 'softsign', name: 'within' }),
  );
  const joined = inner.apply(layers.concatenate().apply(merges)) as tf.SymbolicTensor;
  const outputs = ['mean', 'spread'].map(
    (name) => layers.dense({ units: 1, name }).apply(joined) as tf.SymbolicTensor,
  );
  return tf.model({ inputs: [calendar, history], outputs });
}

/** By what they are to show. */
export const layersModels: Readonly<Record<string, () => tf.LayersModel>> = {
  dense: () =>
    sequential(
      layers.dense({ units: 8, inputShape: [5], activation: 'relu' }),
      layers.dropout({ rate: 0.5 }),
      layers.gaussianNoise({ stddev: 1 }),
      layers.dense({ units: 3, activation: 'softmax', useBias: false }),
    ),
  activations: () =>
    sequential(
      layers.dense({ units: 6, inputShape: [4], activation: 'relu6' }),
      ...(
        ['elu', 'sigmoid', 'tanh', 'softplus', 'hardSigmoid', 'swish', 'mish', 'gelu', 'linear'] as const
      ).map((activation) => layers.dense({ units: 6, activation: activation as 'elu' })),
      layers.leakyReLU({ alpha: 0.1 }),
      layers.reLU({ maxValue: 2 }),
      layers.elu(),
      layers.activation({ activation: 'logSoftmax' as 'softmax' }),
    ),
  'dense over a sequence': () =>
    sequential(
      layers.dense({ units: 4, inputShape: [3, 2], activation: 'softmax' }),
      layers.permute({ dims: [2, 1] }),
      layers.reshape({ targetShape: [2, 6] }),
      layers.flatten(),
      layers.repeatVector({ n: 2 }),
    ),
  image: () =>
    sequential(
      layers.conv2d({
        filters: 4,
        kernelSize: 3,
        inputShape: [9, 11, 3],
        activation: 'relu',
        padding: 'same',
      }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.batchNormalization(),
      layers.conv2d({ filters: 5, kernelSize: [3, 2], strides: [1, 2], useBias: false }),
      layers.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 1],
        ],
      }),
      layers.averagePooling2d({ poolSize: 2, strides: 1, padding: 'same' }),
      layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, padding: 'same' }),
      layers.separableConv2d({ filters: 3, kernelSize: 2, activation: 'tanh' }),
      layers.flatten(),
      layers.dense({ units: 2 }),
    ),
  'image of any size': () =>
    sequential(
      layers.conv2d({
        ...{ filters: 4, kernelSize: 3, dilationRate: 2, activation: 'relu', padding: 'same' },
        inputShape: [null, null, 3] as unknown as number[],
      }),
      layers.globalAveragePooling2d({}),
      layers.dense({ units: 2 }),
    ),
  sequence: () =>
    sequential(
      layers.conv1d({ filters: 4, kernelSize: 3, inputShape: [12, 2], activation: 'relu', dilationRate: 2 }),
      layers.maxPooling1d({ poolSize: 2 }),
      layers.layerNormalization(),
      layers.averagePooling1d({ poolSize: 2, strides: 1 }),
      layers.globalMaxPooling1d(),
    ),
  embedding: () =>
    sequential(
      layers.reLU({ inputShape: [3] }),
      layers.embedding({ inputDim: 10, outputDim: 4 }),
      layers.lstm({ units: 2 }),
    ),
  lstm: () =>
    sequential(
      layers.lstm({ units: 4, inputShape: [6, 3], returnSequences: true }),
      layers.lstm({ units: 3, recurrentActivation: 'sigmoid', goBackwards: true, useBias: false }),
      layers.dense({ units: 1 }),
    ),
  gru: () =>
    sequential(
      layers.gru({ units: 4, inputShape: [6, 3], returnSequences: true }),
      layers.simpleRNN({ units: 3, activation: 'relu', returnSequences: true }),
      layers.globalAveragePooling1d({}),
    ),
  bidirectional: () =>
    sequential(
      layers.bidirectional({
        ...{ layer: layers.lstm({ units: 2, returnSequences: true }) as tf.RNN, mergeMode: 'concat' },
        inputShape: [5, 3],
      }),
      layers.bidirectional({ layer: layers.gru({ units: 2 }) as tf.RNN, mergeMode: 'sum' }),
    ),
  functional,
};

/** Models with something that only TensorFlow.js can, and words of the reason. */
export const untranslatedModels: Readonly<Record<string, readonly [() => tf.LayersModel, string]>> = {
  'a layer around another': [
    () => sequential(layers.timeDistributed({ layer: layers.dense({ units: 2 }), inputShape: [3, 2] })),
    'is a TimeDistributed',
  ],
  'sequences of any length': [
    () => sequential(layers.lstm({ units: 2, inputShape: [null, 3] as unknown as number[] })),
    'its sequences have the shape [-1,-1,3]',
  ],
  'channels first': [
    () => sequential(layers.globalMaxPooling2d({ inputShape: [3, 4, 4], dataFormat: 'channelsFirst' })),
    'its data_format is "channels_first"',
  ],
  'normalisation over another axis': [
    () => sequential(layers.batchNormalization({ axis: 1, inputShape: [3, 4] })),
    'its axis is 1',
  ],
};

export async function writeLayersModel(directory: string, model: tf.LayersModel): Promise<void> {
  randomise(model);
  await mkdir(directory, { recursive: true });
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const text = JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest });
      await writeFile(join(directory, 'weights.bin'), Buffer.from(weightData as ArrayBuffer));
      await writeFile(join(directory, 'model.json'), text);
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
}
