/**
 * Recurrent layers, unrolled: one piece of graph for each step of a sequence of known length. Formulas are those of
 * TensorFlow.js' cells, which are Keras' of 2017: hard sigmoid by default, and GRU with its reset before the product.
 */
import { activate } from './activations.ts';
import type { GraphBuilder, Value } from './builder.ts';
import { LayerConfig } from './config.ts';
import { type Layer, type LayerKinds, onlyInput } from './layer.ts';

/** A longer graph takes longer to load than unrolling saves. */
const mostSteps = 512;

/** A state after one more step; `output` is one of its values. */
type Step = (x: Value, state: readonly Value[]) => readonly [output: Value, ...more: Value[]];

interface Cell {
  readonly step: Step;
  readonly units: number;
  readonly states: number;
}

type Weigh = (name: string, rank: number) => Value;

/** The input's part of all gates at once, for all steps: x × kernel + bias. */
function gates(builder: GraphBuilder, config: LayerConfig, weights: Weigh, x: Value): Value {
  const product = builder.matMul(x, weights('kernel', 2));
  return config.bool('use_bias', true) ? builder.biasAdd(product, weights('bias', 1)) : product;
}

const cells: Readonly<Record<string, (builder: GraphBuilder, config: LayerConfig, weights: Weigh) => Cell>> =
  {
    SimpleRNN: (builder, config, weights) => {
      const activation = config.word('activation', 'tanh');
      const recurrent = weights('recurrent_kernel', 2);
      return {
        ...{ units: config.number('units'), states: 1 },
        step: (x, [h]) => {
          const before = builder.matMul(h as Value, recurrent);
          const sum = builder.combine('AddV2', gates(builder, config, weights, x), before);
          return [activate(builder, activation, sum)];
        },
      };
    },
    LSTM: (builder, config, weights) => {
      const activation = config.word('activation', 'tanh');
      const gate = config.word('recurrent_activation', 'hardSigmoid');
      const recurrent = weights('recurrent_kernel', 2);
      return {
        ...{ units: config.number('units'), states: 2 },
        step: (x, [h, c]) => {
          const before = builder.matMul(h as Value, recurrent);
          const all = builder.combine('AddV2', gates(builder, config, weights, x), before);
          const [input, forget, fresh, output] = builder.split(all, 1, 4) as [Value, Value, Value, Value];
          const kept = builder.combine('Mul', activate(builder, gate, forget), c as Value);
          const taken = builder.combine(
            'Mul',
            activate(builder, gate, input),
            activate(builder, activation, fresh),
          );
          const carry = builder.combine('AddV2', kept, taken);
          const shown = activate(builder, activation, carry);
          return [builder.combine('Mul', activate(builder, gate, output), shown), carry];
        },
      };
    },
    GRU: (builder, config, weights) => {
      const activation = config.word('activation', 'tanh');
      const gate = config.word('recurrent_activation', 'hardSigmoid');
      const units = config.number('units');
      config.expect('reset_after', false);
      const recurrent = weights('recurrent_kernel', 2);
      const parts = builder.split(recurrent, 1, 3) as [Value, Value, Value];
      const both = builder.concatenate([parts[0], parts[1]], 1);
      return {
        ...{ units, states: 1 },
        step: (x, [state]) => {
          const h = state as Value;
          const [xZ, xR, xH] = builder.split(gates(builder, config, weights, x), 1, 3) as [
            Value,
            Value,
            Value,
          ];
          const [hZ, hR] = builder.split(builder.matMul(h, both), 1, 2) as [Value, Value];
          const update = activate(builder, gate, builder.combine('AddV2', xZ, hZ));
          const reset = activate(builder, gate, builder.combine('AddV2', xR, hR));
          const remembered = builder.matMul(builder.combine('Mul', reset, h), parts[2]);
          const fresh = activate(builder, activation, builder.combine('AddV2', xH, remembered));
          const kept = builder.combine('Mul', update, h);
          const rest = builder.combine('Sub', builder.number(1), update);
          return [builder.combine('AddV2', kept, builder.combine('Mul', rest, fresh))];
        },
      };
    },
  };

/** @param backwards in addition to what the layer itself says. */
function unrolled(
  layer: Layer,
  kind: string,
  config: LayerConfig,
  weights: Weigh,
  backwards: boolean,
): Value {
  const { builder } = layer;
  const x = onlyInput(layer);
  const steps = x.shape[1] ?? -1;
  if (x.shape.length !== 3 || steps < 1 || steps > mostSteps || x.shape[2] === -1)
    throw layer.config.refusal(`its sequences have the shape [${x.shape.join(',')}]`);
  const cell = (cells[kind] as (typeof cells)[string])(builder, config, weights);
  const all = config.bool('return_sequences', false);
  config.expect('return_state', false);
  config.expect('stateful', false);
  const isBackwards = config.bool('go_backwards', false) !== backwards;
  const inputs = builder.unstack(x);
  if (isBackwards) inputs.reverse();
  let state: readonly Value[] = new Array(cell.states).fill(zeros(builder, inputs[0] as Value, cell.units));
  const outputs: Value[] = [];
  for (const input of inputs) {
    state = cell.step(input, state);
    outputs.push(state[0] as Value);
  }
  config.finish();
  if (!all) return outputs.at(-1) as Value;
  // Of a layer that goes backwards by itself the steps stay in the order in which they were taken.
  return builder.stack(backwards ? outputs.reverse() : outputs);
}

/** As many rows of zeros as there are in the input. */
function zeros(builder: GraphBuilder, x: Value, units: number): Value {
  const nothing = builder.constant(
    [x.shape[1] as number, units],
    new Array((x.shape[1] as number) * units).fill(0),
  );
  // An infinity or NaN in the input must not become part of the state: 0 × ∞ is NaN.
  return builder.matMul(builder.map('ZerosLike', x), nothing);
}

const recurrent =
  (kind: string): LayerKinds[string] =>
  (layer) =>
    unrolled(layer, kind, layer.config, layer.weights, false);

export const recurrentLayers: LayerKinds = {
  SimpleRNN: recurrent('SimpleRNN'),
  LSTM: recurrent('LSTM'),
  GRU: recurrent('GRU'),
  Bidirectional: (layer) => {
    const { builder, config } = layer;
    const { class_name: kind, config: inner } = config.layer('layer');
    if (!Object.hasOwn(cells, kind)) throw config.refusal(`it holds a ${kind}`);
    config.expect('backward_layer', undefined);
    const name = String(inner['name']);
    const [forward, backward] = [false, true].map((backwards) => {
      const prefix = `${backwards ? 'backward' : 'forward'}_${name.replace(/^(forward|backward)_/, '')}`;
      const weigh: Weigh = (weight, rank) => layer.innerWeights(prefix, weight, rank);
      return unrolled(layer, kind, new LayerConfig(kind, inner), weigh, backwards);
    }) as [Value, Value];
    const mode = config.word('merge_mode', 'concat');
    switch (mode) {
      case 'concat':
        return builder.concatenate([forward, backward], forward.shape.length - 1);
      case 'sum':
        return builder.combine('AddV2', forward, backward);
      case 'mul':
        return builder.combine('Mul', forward, backward);
      case 'ave':
        return builder.combine('Mul', builder.number(0.5), builder.combine('AddV2', forward, backward));
      default:
        throw config.refusal(`its merge_mode is ${mode}`);
    }
  },
};
