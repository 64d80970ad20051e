/** Activations by TensorFlow.js' names, as it computes them. Pure. */
import { attribute } from '../graph/graph-def.ts';
import { NotTranslatable } from '../graph/not-translatable.ts';
import type { GraphBuilder, Value } from './builder.ts';

type Activation = (builder: GraphBuilder, x: Value) => Value;

const one =
  (op: string): Activation =>
  (builder, x) =>
    builder.map(op, x);

const activations: Readonly<Record<string, Activation>> = {
  linear: (_, x) => x,
  relu: one('Relu'),
  relu6: one('Relu6'),
  elu: one('Elu'),
  selu: one('Selu'),
  sigmoid: one('Sigmoid'),
  tanh: one('Tanh'),
  softplus: one('Softplus'),
  softsign: one('Softsign'),
  softmax: one('Softmax'),
  logSoftmax: one('LogSoftmax'),
  hardSigmoid: (builder, x) => {
    const line = builder.combine(
      'AddV2',
      builder.number(0.5),
      builder.combine('Mul', builder.number(0.2), x),
    );
    return builder.combine('Maximum', builder.combine('Minimum', line, builder.number(1)), builder.number(0));
  },
  swish: (builder, x) => builder.combine('Mul', builder.map('Sigmoid', x), x),
  mish: (builder, x) => builder.combine('Mul', x, builder.map('Tanh', builder.map('Softplus', x))),
  gelu: (builder, x) => {
    const error = builder.map('Erf', builder.combine('RealDiv', x, builder.number(Math.SQRT2)));
    const share = builder.combine('AddV2', builder.number(1), error);
    return builder.combine('Mul', x, builder.combine('Mul', builder.number(0.5), share));
  },
};

/** @throws NotTranslatable for an activation that is not among them. */
export function activate(builder: GraphBuilder, name: string, x: Value): Value {
  const activation = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (!activation) throw new NotTranslatable(`the activation "${name}" is not known to sessions`);
  return activation(builder, x);
}

export function leakyRelu(builder: GraphBuilder, x: Value, alpha: number): Value {
  return builder.map('LeakyRelu', x, { alpha: attribute.float(alpha) });
}
