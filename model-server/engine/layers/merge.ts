/** Layers that make one value of several. */
import type { Value } from './builder.ts';
import type { Layer, LayerKinds } from './layer.ts';

/** From left to right, as TensorFlow.js adds them up. */
function folded(layer: Layer, op: string): Value {
  const [first, ...rest] = layer.inputs;
  if (!first || rest.length === 0) throw layer.config.refusal(`it has ${layer.inputs.length} inputs`);
  if (rest.some(({ shape }) => shape.length !== first.shape.length)) {
    throw layer.config.refusal('its inputs differ in rank');
  }
  return rest.reduce((sum, value) => layer.builder.combine(op, sum, value), first);
}

export const mergeLayers: LayerKinds = {
  Add: (layer) => folded(layer, 'AddV2'),
  Multiply: (layer) => folded(layer, 'Mul'),
  Maximum: (layer) => folded(layer, 'Maximum'),
  Minimum: (layer) => folded(layer, 'Minimum'),
  Average: (layer) => {
    const { builder, inputs } = layer;
    return builder.combine('Mul', builder.number(1 / inputs.length), folded(layer, 'AddV2'));
  },
  Dot: ({ builder, config, inputs }) => {
    const [a, b, ...more] = inputs;
    if (!a || !b || more.length > 0 || a.shape.length !== 2 || b.shape.length !== 2) {
      throw config.refusal('it is not of two rows of numbers');
    }
    config.expect('axes', -1, 1, [-1, -1], [1, 1]);
    config.expect('normalize', false);
    return builder.reduce('Sum', builder.combine('Mul', a, b), [1], true);
  },
  Concatenate: ({ builder, config, inputs }) => {
    const axis = config.number('axis', -1);
    const rank = inputs[0]?.shape.length ?? 0;
    if (inputs.some(({ shape }) => shape.length !== rank)) throw config.refusal('its inputs differ in rank');
    return builder.concatenate(inputs, axis < 0 ? axis + rank : axis);
  },
};
