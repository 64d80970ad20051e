/** Layers that shift and scale by what is usual. */
import type { Value } from './builder.ts';
import { type Layer, type LayerKinds, onlyInput } from './layer.ts';

/** The one axis that keeps its values apart, as a number from 0. */
function lastAxis({ config }: Layer, x: Value): void {
  const last = x.shape.length - 1;
  config.expect('axis', -1, last, [-1], [last]);
}

/** (x - mean) × gamma ÷ √(variance + epsilon) + beta, in the order of TensorFlow's own kernels. */
function normalised(layer: Layer, x: Value, mean: Value, variance: Value, epsilon: number): Value {
  const { builder, config, weights } = layer;
  let scale = builder.map('Rsqrt', builder.combine('AddV2', variance, builder.number(epsilon)));
  if (config.bool('scale', true)) scale = builder.combine('Mul', scale, weights('gamma', 1));
  const scaled = builder.combine('Mul', builder.combine('Sub', x, mean), scale);
  return config.bool('center', true) ? builder.combine('AddV2', scaled, weights('beta', 1)) : scaled;
}

export const normalisationLayers: LayerKinds = {
  BatchNormalization: (layer) => {
    const { config, weights } = layer;
    const x = onlyInput(layer);
    lastAxis(layer, x);
    const [mean, variance] = [weights('moving_mean', 1), weights('moving_variance', 1)];
    return normalised(layer, x, mean, variance, config.number('epsilon', 1e-3));
  },
  LayerNormalization: (layer) => {
    const { builder, config } = layer;
    const x = onlyInput(layer);
    lastAxis(layer, x);
    const axes = [x.shape.length - 1];
    const mean = builder.reduce('Mean', x, axes, true);
    const distance = builder.combine('Sub', x, mean);
    const variance = builder.reduce('Mean', builder.map('Square', distance), axes, true);
    return normalised(layer, x, mean, variance, config.number('epsilon', 1e-3));
  },
};
