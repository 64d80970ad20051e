/** A layer's weights, by the names under which TensorFlow.js and Keras save them. Pure. */
import { NotTranslatable } from '../graph/not-translatable.ts';
import type { Weight, Weights } from '../tfjs-files.ts';
import type { GraphBuilder, Value } from './builder.ts';

export class LayerWeights {
  readonly #weights: Weights;
  readonly #used = new Map<Weight, Value>();
  readonly #builder: GraphBuilder;

  constructor(weights: Weights, builder: GraphBuilder) {
    this.#weights = weights;
    this.#builder = builder;
  }

  /** A constant of the graph, made once however many layers share it. */
  get(layer: string, name: string, rank: number): Value {
    const weight = this.#find(layer, name);
    if (
      weight.dtype !== 'float32' ||
      weight.shape.length !== rank ||
      !(weight.values instanceof Uint8Array)
    ) {
      throw new NotTranslatable(
        `the weight "${layer}/${name}" is ${weight.dtype} of shape [${weight.shape.join(',')}]`,
      );
    }
    const known = this.#used.get(weight);
    if (known) return known;
    const value = this.#builder.constant(weight.shape, weight.values);
    this.#used.set(weight, value);
    return value;
  }

  /**
   * Beside `layer/name` there are `model/layer/name` of Keras and `layer/cell/name` of its recurrent layers.
   * @throws NotTranslatable when none is meant, or nobody can say which.
   */
  #find(layer: string, name: string): Weight {
    const exact = this.#weights.get(`${layer}/${name}`);
    if (exact) return exact;
    const found = [...this.#weights].filter(([key]) => {
      const parts = key.split('/');
      return parts.at(-1) === name && (parts.at(-2) === layer || parts.at(-3) === layer);
    });
    const [only, ...others] = found;
    if (only && others.length === 0) return only[1];
    throw new NotTranslatable(`${found.length} weights could be "${layer}/${name}"`);
  }
}
