import type { GraphBuilder, Value } from './builder.ts';
import type { LayerConfig } from './config.ts';

/** A layer where it is used: what goes in, and all that it needs to become operations. */
export interface Layer {
  readonly config: LayerConfig;
  readonly inputs: readonly Value[];
  readonly builder: GraphBuilder;
  /** A weight of this layer, of this rank. */
  weights(name: string, rank: number): Value;
  /** A weight of a layer within this one. */
  innerWeights(layer: string, name: string, rank: number): Value;
}

/** How layers of a kind become operations, by Keras' class name. */
export type LayerKinds = Readonly<Record<string, (layer: Layer) => Value>>;

/** @throws NotTranslatable when the layer has another number of inputs. */
export function onlyInput({ config, inputs }: Layer): Value {
  const [only, ...others] = inputs;
  if (only && others.length === 0) return only;
  throw config.refusal(`it has ${inputs.length} inputs`);
}
