/**
 * A layer's configuration, read strictly: a model whose layers say something that is not understood here must run in
 * TensorFlow.js, which understands all of its own, rather than give other answers. Pure.
 */
import { NotTranslatable } from '../graph/not-translatable.ts';

/** Without meaning once a layer has its weights and is not trained any more. */
const meaningless =
  /_(initializer|regularizer|constraint)$|^(name|trainable|batch_input_shape|batch_shape|sparse|ragged|seed|rate|stddev|noise_shape|momentum|implementation|dropout|recurrent_dropout|unroll|unit_forget_bias|input_dtype|input_length|input_dim|batch_size|ndim|renorm|fused)$/;

export class LayerConfig {
  readonly kind: string;
  readonly name: string;
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  constructor(kind: string, config: Readonly<Record<string, unknown>>) {
    this.kind = kind;
    this.#config = config;
    this.name = String(config['name'] ?? kind);
  }

  #take(key: string): unknown {
    this.#read.add(key);
    return this.#config[key] ?? undefined;
  }

  /** @throws NotTranslatable, as all of these do, when it is something else. */
  number(key: string, otherwise?: number): number {
    const value = this.#take(key) ?? otherwise;
    if (typeof value === 'number') return value;
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  /** Two numbers; one stands for both. */
  pair(key: string, otherwise: number | readonly number[]): [number, number] {
    const value = this.#take(key) ?? otherwise;
    const list = Array.isArray(value) ? value : [value, value];
    if (list.length === 2 && list.every((each) => Number.isInteger(each))) return [list[0], list[1]];
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  /** One number, alone or as a list. */
  single(key: string, otherwise: number): number {
    const value = this.#take(key) ?? otherwise;
    const number = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (Number.isInteger(number)) return number as number;
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  numbers(key: string): number[] {
    const value = this.#take(key);
    if (Array.isArray(value) && value.every((each) => Number.isInteger(each))) return value as number[];
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  /** Lists of whole numbers. */
  lists(key: string): number[][] {
    const value = this.#take(key);
    const isNumbers = (list: unknown) => Array.isArray(list) && list.every((each) => Number.isInteger(each));
    if (Array.isArray(value) && value.every(isNumbers)) return value as number[][];
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  bool(key: string, otherwise: boolean): boolean {
    const value = this.#take(key) ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  /** In camel case, as TensorFlow.js reads words in both spellings. */
  word(key: string, otherwise: string): string {
    const value = this.#take(key) ?? otherwise;
    if (typeof value === 'string')
      return value.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  /** Something that only one value of is understood. */
  expect(key: string, ...values: readonly unknown[]): void {
    const value = this.#take(key);
    const isExpected = values.some((each) => JSON.stringify(each) === JSON.stringify(value));
    if (value !== undefined && !isExpected) throw this.refusal(`its ${key} is ${JSON.stringify(value)}`);
  }

  /** A layer within this one. */
  layer(key: string): { class_name: string; config: Record<string, unknown> } {
    const value = this.#take(key) as { class_name?: unknown; config?: unknown } | undefined;
    if (typeof value?.class_name === 'string' && typeof value.config === 'object' && value.config !== null)
      return value as { class_name: string; config: Record<string, unknown> };
    throw this.refusal(`its ${key} is no layer`);
  }

  /** @throws NotTranslatable when something was said that nobody has read. */
  finish(): void {
    this.expect('dtype', 'float32');
    for (const [key, value] of Object.entries(this.#config)) {
      if (this.#read.has(key) || meaningless.test(key)) continue;
      if (value === null || value === false) continue;
      throw this.refusal(`its ${key} is ${JSON.stringify(value)?.slice(0, 100)}`);
    }
  }

  refusal(why: string): NotTranslatable {
    return new NotTranslatable(`the layer "${this.name}" (${this.kind}) is not known to sessions: ${why}`);
  }
}
