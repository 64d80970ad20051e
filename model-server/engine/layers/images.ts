/** Convolutions, pooling and what else works on images and sequences with channels last. */
import { type Attribute, attribute, dataTypes } from '../graph/graph-def.ts';
import { activate } from './activations.ts';
import type { GraphBuilder, Value } from './builder.ts';
import type { LayerConfig } from './config.ts';
import { type Layer, type LayerKinds, onlyInput } from './layer.ts';

const float = { T: attribute.type(dataTypes.float) };

interface Window {
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: string;
}

/** Size after a window has gone over it; formulas of tensorflow/core/framework/kernel_shape_util.cc. */
function outputSize(
  size: number,
  axis: 0 | 1,
  { size: window, strides, dilations, padding }: Window,
): number {
  if (size === -1) return -1;
  const reach = padding === 'SAME' ? 1 : (window[axis] - 1) * dilations[axis] + 1;
  return Math.floor((size - reach) / strides[axis]) + 1;
}

function paddingOf(config: LayerConfig): string {
  const padding = config.word('padding', 'valid').toUpperCase();
  if (padding !== 'SAME' && padding !== 'VALID') throw config.refusal(`its padding is ${padding}`);
  return padding;
}

const four = ([height, width]: readonly [number, number]) => attribute.integers([1, height, width, 1]);

function windowed(
  builder: GraphBuilder,
  op: string,
  inputs: readonly Value[],
  window: Window,
  channels: number,
  more: Readonly<Record<string, Attribute>>,
): Value {
  const [batch = -1, height = -1, width = -1] = inputs[0]?.shape ?? [];
  const node = builder.add(
    op,
    inputs.map((value) => value.node),
    { ...float, strides: four(window.strides), padding: attribute.bytes(window.padding), ...more },
  );
  return { node, shape: [batch, outputSize(height, 0, window), outputSize(width, 1, window), channels] };
}

function convolve(builder: GraphBuilder, x: Value, kernel: Value, window: Omit<Window, 'size'>): Value {
  const [height = 1, width = 1, , filters = 1] = kernel.shape;
  return windowed(builder, 'Conv2D', [x, kernel], { ...window, size: [height, width] }, filters, {
    dilations: four(window.dilations),
  });
}

/** DepthwiseConv2dNative takes equal strides only. */
function convolveDepthwise(
  layer: Layer,
  x: Value,
  kernel: Value,
  strides: [number, number],
  padding: string,
) {
  const { builder, config } = layer;
  if (strides[0] !== strides[1]) throw config.refusal('its strides differ');
  const [height = 1, width = 1, channels = 1, multiplier = 1] = kernel.shape;
  const window: Window = { size: [height, width], strides, dilations: [1, 1], padding };
  return windowed(builder, 'DepthwiseConv2dNative', [x, kernel], window, channels * multiplier, {});
}

/** A sequence as an image of one line, and back. */
function asImage(builder: GraphBuilder, x: Value): Value {
  const node = builder.add('ExpandDims', [x.node, builder.integers(1)], {
    ...float,
    Tdim: attribute.type(dataTypes.int32),
  });
  const [batch = -1, steps = -1, channels = -1] = x.shape;
  return { node, shape: [batch, 1, steps, channels] };
}
function asSequence(builder: GraphBuilder, x: Value): Value {
  const node = builder.add('Squeeze', [x.node], { ...float, squeeze_dims: attribute.integers([1]) });
  const [batch = -1, , steps = -1, channels = -1] = x.shape;
  return { node, shape: [batch, steps, channels] };
}

function finished(layer: Layer, y: Value): Value {
  const { builder, config, weights } = layer;
  const biased = config.bool('use_bias', true) ? builder.biasAdd(y, weights('bias', 1)) : y;
  return activate(builder, config.word('activation', 'linear'), biased);
}

function image(layer: Layer): Value {
  const x = onlyInput(layer);
  layer.config.expect('data_format', 'channels_last');
  if (x.shape.length !== 4) throw layer.config.refusal(`its input has ${x.shape.length} dimensions`);
  return x;
}
function sequence(layer: Layer): Value {
  const x = onlyInput(layer);
  layer.config.expect('data_format', 'channels_last');
  if (x.shape.length !== 3) throw layer.config.refusal(`its input has ${x.shape.length} dimensions`);
  return x;
}

function pool(op: 'MaxPool' | 'AvgPool', layer: Layer): Value {
  const { builder, config } = layer;
  const x = image(layer);
  const size = config.pair('pool_size', 2);
  const window: Window = {
    size,
    strides: config.pair('strides', size),
    dilations: [1, 1],
    padding: paddingOf(config),
  };
  return windowed(builder, op, [x], window, x.shape[3] as number, { ksize: four(size) });
}

function poolSequence(op: 'MaxPool' | 'AvgPool', layer: Layer): Value {
  const { builder, config } = layer;
  const x = sequence(layer);
  const size = config.single('pool_size', 2);
  const strides = config.single('strides', size);
  const window: Window = {
    size: [1, size],
    strides: [1, strides],
    dilations: [1, 1],
    padding: paddingOf(config),
  };
  const y = windowed(builder, op, [asImage(builder, x)], window, x.shape[2] as number, {
    ksize: four([1, size]),
  });
  return asSequence(builder, y);
}

export const imageLayers: LayerKinds = {
  Conv2D: (layer) => {
    const { builder, config, weights } = layer;
    const x = image(layer);
    config.number('filters');
    config.expect('groups', 1);
    const kernel = weights('kernel', 4);
    config.expect('kernel_size', [kernel.shape[0], kernel.shape[1]], kernel.shape[0]);
    const [strides, dilations] = [config.pair('strides', 1), config.pair('dilation_rate', 1)];
    return finished(layer, convolve(builder, x, kernel, { strides, dilations, padding: paddingOf(config) }));
  },
  Conv1D: (layer) => {
    const { builder, config, weights } = layer;
    const x = asImage(builder, sequence(layer));
    config.number('filters');
    config.expect('groups', 1);
    const kernel = weights('kernel', 3);
    config.expect('kernel_size', [kernel.shape[0]], kernel.shape[0]);
    const strides: [number, number] = [1, config.single('strides', 1)];
    const dilations: [number, number] = [1, config.single('dilation_rate', 1)];
    const line = builder.reshape(kernel, [1, ...kernel.shape]);
    const y = convolve(builder, x, line, { strides, dilations, padding: paddingOf(config) });
    return finished(layer, asSequence(builder, y));
  },
  DepthwiseConv2D: (layer) => {
    const { config, weights } = layer;
    const x = image(layer);
    const kernel = weights('depthwise_kernel', 4);
    config.expect('kernel_size', [kernel.shape[0], kernel.shape[1]], kernel.shape[0]);
    config.expect('depth_multiplier', kernel.shape[3]);
    config.expect('dilation_rate', 1, [1, 1]);
    return finished(layer, convolveDepthwise(layer, x, kernel, config.pair('strides', 1), paddingOf(config)));
  },
  SeparableConv2D: (layer) => {
    const { builder, config, weights } = layer;
    const x = image(layer);
    config.number('filters');
    const kernel = weights('depthwise_kernel', 4);
    config.expect('kernel_size', [kernel.shape[0], kernel.shape[1]], kernel.shape[0]);
    config.expect('depth_multiplier', kernel.shape[3]);
    config.expect('dilation_rate', 1, [1, 1]);
    const deep = convolveDepthwise(layer, x, kernel, config.pair('strides', 1), paddingOf(config));
    const point = { strides: [1, 1], dilations: [1, 1], padding: 'VALID' } as const;
    return finished(layer, convolve(builder, deep, weights('pointwise_kernel', 4), point));
  },
  MaxPooling2D: (layer) => pool('MaxPool', layer),
  AveragePooling2D: (layer) => pool('AvgPool', layer),
  MaxPooling1D: (layer) => poolSequence('MaxPool', layer),
  AveragePooling1D: (layer) => poolSequence('AvgPool', layer),
  GlobalMaxPooling2D: (layer) => layer.builder.reduce('Max', image(layer), [1, 2]),
  GlobalAveragePooling2D: (layer) => layer.builder.reduce('Mean', image(layer), [1, 2]),
  GlobalMaxPooling1D: (layer) => layer.builder.reduce('Max', sequence(layer), [1]),
  GlobalAveragePooling1D: (layer) => layer.builder.reduce('Mean', sequence(layer), [1]),
  ZeroPadding2D: (layer) => {
    const { builder, config } = layer;
    const x = image(layer);
    const [[top, bottom], [left, right]] = paddings(config);
    const amounts = builder.add(
      'Reshape',
      [builder.integers([0, 0, top, bottom, left, right, 0, 0]), builder.integers([4, 2])],
      { T: attribute.type(dataTypes.int32), Tshape: attribute.type(dataTypes.int32) },
    );
    const node = builder.add('Pad', [x.node, amounts], {
      ...float,
      Tpaddings: attribute.type(dataTypes.int32),
    });
    const grown = (size: number, by: number) => (size === -1 ? -1 : size + by);
    const [batch = -1, height = -1, width = -1, channels = -1] = x.shape;
    return { node, shape: [batch, grown(height, top + bottom), grown(width, left + right), channels] };
  },
};

/** `[[top, bottom], [left, right]]`, as TensorFlow.js always writes it. */
function paddings(config: LayerConfig): [[number, number], [number, number]] {
  const list = config.lists('padding');
  const [vertical, horizontal] = list;
  if (list.length === 2 && vertical?.length === 2 && horizontal?.length === 2)
    return list as [[number, number], [number, number]];
  throw config.refusal(`its padding is ${JSON.stringify(list)}`);
}
