/** Layers that weigh, reshape and pass on. */
import { NotTranslatable } from '../graph/not-translatable.ts';
import { activate, leakyRelu } from './activations.ts';
import type { Value } from './builder.ts';
import { type Layer, type LayerKinds, onlyInput } from './layer.ts';

const same = (layer: Layer): Value => onlyInput(layer);

export const basicLayers: LayerKinds = {
  Dense: (layer) => {
    const { builder, config, weights } = layer;
    const x = onlyInput(layer);
    config.number('units');
    const kernel = weights('kernel', 2);
    const last = x.shape.at(-1);
    if (last !== kernel.shape[0]) throw config.refusal(`its input has ${last} values in its last dimension`);
    // Rows of a higher rank are laid side by side, multiplied and put back.
    const isFlat = x.shape.length === 2;
    const rows = isFlat ? x : builder.reshape(x, [-1, last as number]);
    let y = builder.matMul(rows, kernel);
    if (config.bool('use_bias', true)) y = builder.biasAdd(y, weights('bias', 1));
    if (!isFlat) y = builder.reshape(y, [...x.shape.slice(0, -1), kernel.shape[1] as number]);
    return activate(builder, config.word('activation', 'linear'), y);
  },
  Activation: (layer) => activate(layer.builder, layer.config.word('activation', 'linear'), onlyInput(layer)),
  ReLU: (layer) => {
    const { builder, config } = layer;
    const y = builder.map('Relu', onlyInput(layer));
    const most = config.number('max_value', Number.POSITIVE_INFINITY);
    return Number.isFinite(most) ? builder.combine('Minimum', y, builder.number(most)) : y;
  },
  LeakyReLU: (layer) => leakyRelu(layer.builder, onlyInput(layer), layer.config.number('alpha', 0.3)),
  ELU: (layer) => {
    layer.config.expect('alpha', 1);
    return layer.builder.map('Elu', onlyInput(layer));
  },
  Softmax: (layer) => {
    const x = onlyInput(layer);
    layer.config.expect('axis', -1, x.shape.length - 1);
    return layer.builder.map('Softmax', x);
  },
  Embedding: (layer) => {
    const { builder, config, weights } = layer;
    config.number('output_dim');
    config.expect('mask_zero', false);
    return builder.gather(weights('embeddings', 2), onlyInput(layer));
  },
  Dropout: same,
  SpatialDropout1D: same,
  AlphaDropout: same,
  GaussianDropout: same,
  GaussianNoise: same,
  Flatten: (layer) => {
    layer.config.expect('data_format', 'channels_last');
    const x = onlyInput(layer);
    return layer.builder.reshape(x, [-1, knownProduct(x.shape.slice(1))]);
  },
  Reshape: (layer) => {
    const { builder, config } = layer;
    const x = onlyInput(layer);
    const target = config.numbers('target_shape');
    const total = knownProduct(x.shape.slice(1));
    const known = target.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
    return builder.reshape(x, [-1, ...target.map((size) => (size === -1 ? total / known : size))]);
  },
  Permute: (layer) => layer.builder.transpose(onlyInput(layer), [0, ...layer.config.numbers('dims')]),
  RepeatVector: (layer) => {
    const x = onlyInput(layer);
    return layer.builder.stack(Array.from({ length: layer.config.number('n') }, () => x));
  },
  Rescaling: (layer) => {
    const { builder, config } = layer;
    const scaled = builder.combine('Mul', onlyInput(layer), builder.number(config.number('scale')));
    return builder.combine('AddV2', scaled, builder.number(config.number('offset', 0)));
  },
};

function knownProduct(sizes: readonly number[]): number {
  if (sizes.includes(-1)) throw new NotTranslatable('a layer needs sizes that only a request tells');
  return sizes.reduce((product, size) => product * size, 1);
}
