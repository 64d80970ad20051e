/**
 * A TensorFlow.js layers model as TensorFlow's own graph, for the layers that most models are made of. All that is not
 * understood to the last word is refused, and then runs in TensorFlow.js.
 */
import type { Signature, TensorSpec } from '../../protocol/tensor.ts';
import { defaultSignature } from '../engine.ts';
import { graphDef } from '../graph/graph-def.ts';
import { NotTranslatable } from '../graph/not-translatable.ts';
import type { Translated } from '../graph/translated.ts';
import type { Weights } from '../tfjs-files.ts';
import { basicLayers } from './basic.ts';
import { GraphBuilder, type Value } from './builder.ts';
import { LayerConfig } from './config.ts';
import { imageLayers } from './images.ts';
import type { LayerKinds } from './layer.ts';
import { mergeLayers } from './merge.ts';
import { normalisationLayers } from './normalisation.ts';
import { recurrentLayers } from './recurrent.ts';
import { LayerWeights } from './weights.ts';

const kinds: LayerKinds = {
  ...basicLayers,
  ...imageLayers,
  ...mergeLayers,
  ...normalisationLayers,
  ...recurrentLayers,
};

type Config = Readonly<Record<string, unknown>>;
interface JsonLayer {
  readonly class_name: string;
  readonly name?: string;
  readonly config: Config;
  /** For each use of the layer, what goes in: layer, number of its use, number of its output, arguments. */
  readonly inbound_nodes?: readonly (readonly (readonly [string, number, number, object?])[])[];
}
interface Named {
  readonly name: string;
  readonly value: Value;
}
interface Outcome {
  readonly inputs: readonly Named[];
  readonly outputs: readonly Named[];
}

/** Version of TensorFlow's graphs that the nodes are written for: that of TensorFlow 2.19. */
const producer = 2129;

/** @throws NotTranslatable with the reason why only TensorFlow.js can run it. */
export function translateLayers(document: Config, weights: Weights): Translated {
  const builder = new GraphBuilder();
  const topology = document['modelTopology'] as Config | undefined;
  const model = (topology?.['model_config'] ?? topology) as JsonLayer | undefined;
  if (typeof model?.class_name !== 'string') throw new NotTranslatable('it has no topology');
  const { inputs, outputs } = new ModelTranslator(builder, new LayerWeights(weights, builder)).model(model);
  const specs = (named: readonly Named[]): TensorSpec[] =>
    named.map(({ name, value }) => ({
      ...{ name, datatype: 'FP32', shape: value.shape },
      tensorName: value.node.includes(':') ? value.node : `${value.node}:0`,
    }));
  const signature: Signature = {
    name: defaultSignature,
    inputs: specs(inputs),
    outputs: specs(outputs),
    methodName: 'tensorflow/serving/predict',
  };
  return { graph: graphDef(builder.nodes, producer), signature };
}

class ModelTranslator {
  readonly #builder: GraphBuilder;
  readonly #weights: LayerWeights;

  constructor(builder: GraphBuilder, weights: LayerWeights) {
    this.#builder = builder;
    this.#weights = weights;
  }

  /** @param given the inputs of a model within a model; placeholders are made where there are none. */
  model({ class_name: kind, config }: JsonLayer, given?: readonly Value[]): Outcome {
    if (kind === 'Sequential') return this.#sequential(config, given);
    if (kind === 'Model' || kind === 'Functional') return this.#functional(config, given);
    throw new NotTranslatable(`it is a ${kind}`);
  }

  #sequential(config: Config | readonly JsonLayer[], given: readonly Value[] | undefined): Outcome {
    const layers = (Array.isArray(config) ? config : (config as Config)['layers']) as readonly JsonLayer[];
    const [first] = layers;
    if (!first) throw new NotTranslatable('it has no layers');
    const isInput = first.class_name === 'InputLayer';
    const input: Named = {
      name: isInput ? nameOf(first) : `${nameOf(first)}_input`,
      value: given?.[0] ?? this.#placeholder(first),
    };
    let last: Named = input;
    for (const layer of isInput ? layers.slice(1) : layers) {
      last = { name: nameOf(layer), value: this.#layer(layer, [last.value]) };
    }
    return { inputs: [input], outputs: [last] };
  }

  #functional(config: Config, given: readonly Value[] | undefined): Outcome {
    const layers = config['layers'] as readonly JsonLayer[];
    const byName = new Map(layers.map((layer) => [nameOf(layer), layer]));
    const inputNames = references(config['input_layers']).map(([name]) => name);
    const inputs = new Map<string, Value>();
    for (const [i, name] of inputNames.entries()) {
      inputs.set(name, given?.[i] ?? this.#placeholder(known(byName, name)));
    }
    const made = new Map<string, Value>();
    const open = new Set<string>();
    const valueAt = ([name, use, output]: Reference): Value => {
      const key = `${name} ${use}`;
      const done = inputs.get(name) ?? made.get(key);
      if (done) return done;
      if (output !== 0 || open.has(key)) throw new NotTranslatable(`the layer "${name}" cannot be followed`);
      open.add(key);
      const layer = known(byName, name);
      // A model within a model counts its own inputs as its first use.
      const from = layer.inbound_nodes?.[isModel(layer) ? Math.max(use - 1, 0) : use] ?? [];
      if (from.length === 0) throw new NotTranslatable(`the layer "${name}" has no inputs`);
      for (const [, , , settings] of from) {
        if (settings && Object.keys(settings).length > 0)
          throw new NotTranslatable(`the layer "${name}" is called with ${Object.keys(settings).join(', ')}`);
      }
      const value = this.#layer(
        layer,
        from.map(([source, sourceUse, sourceOutput]) => valueAt([source, sourceUse, sourceOutput])),
      );
      made.set(key, value);
      return value;
    };
    return {
      inputs: inputNames.map((name) => ({ name, value: inputs.get(name) as Value })),
      outputs: references(config['output_layers']).map((reference) => ({
        name: reference[0],
        value: valueAt(reference),
      })),
    };
  }

  #placeholder(layer: JsonLayer): Value {
    const { batch_input_shape: shape, dtype } = layer.config;
    if (layer.class_name === 'Sequential' && shape === undefined) {
      const [inner] = (layer.config['layers'] ?? []) as readonly JsonLayer[];
      if (inner) return this.#placeholder(inner);
    }
    if (!Array.isArray(shape) || shape.length === 0)
      throw new NotTranslatable(`the layer "${nameOf(layer)}" does not say what goes in`);
    if (dtype !== undefined && dtype !== null && dtype !== 'float32')
      throw new NotTranslatable(`the layer "${nameOf(layer)}" takes ${String(dtype)}`);
    return this.#builder.placeholder(shape.map((size: number | null) => size ?? -1));
  }

  #layer(layer: JsonLayer, inputs: readonly Value[]): Value {
    const kind = layer.class_name;
    if (isModel(layer)) {
      const { outputs } = this.model(layer, inputs);
      const [only, ...others] = outputs;
      if (only && others.length === 0) return only.value;
      throw new NotTranslatable(`the model "${nameOf(layer)}" within it has ${outputs.length} outputs`);
    }
    const translate = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (!translate) throw new NotTranslatable(`the layer "${nameOf(layer)}" is a ${kind}`);
    const config = new LayerConfig(kind, layer.config);
    const value = translate({
      ...{ config, inputs, builder: this.#builder },
      weights: (name, rank) => this.#weights.get(config.name, name, rank),
      innerWeights: (inner, name, rank) => this.#weights.get(inner, name, rank),
    });
    config.finish();
    return value;
  }
}

type Reference = readonly [layer: string, use: number, output: number];

/** A list of references; a single one may stand without its list. */
function references(value: unknown): Reference[] {
  const list = Array.isArray(value) && typeof value[0] === 'string' ? [value] : value;
  const isReference = (each: unknown) => Array.isArray(each) && typeof each[0] === 'string';
  if (Array.isArray(list) && list.length > 0 && list.every(isReference)) return list as Reference[];
  throw new NotTranslatable('it does not say what goes in and out');
}

function known(layers: ReadonlyMap<string, JsonLayer>, name: string): JsonLayer {
  const layer = layers.get(name);
  if (layer) return layer;
  throw new NotTranslatable(`there is no layer "${name}"`);
}

const isModel = ({ class_name: kind }: JsonLayer) => ['Sequential', 'Model', 'Functional'].includes(kind);

function nameOf(layer: JsonLayer): string {
  return String(layer.config['name'] ?? layer.name ?? layer.class_name);
}
