/** A graph under construction: values with known shapes, made by one operation after the other. */
import { type Attribute, attribute, constantNode, dataTypes, type Node } from '../graph/graph-def.ts';
import { NotTranslatable } from '../graph/not-translatable.ts';

/** An FP32 tensor of the graph; -1 is a size that only a request tells, as the first one always is. */
export interface Value {
  readonly node: string;
  readonly shape: readonly number[];
}

const float = { T: attribute.type(dataTypes.float) };
const index = (key: string) => ({ [key]: attribute.type(dataTypes.int32) });

export class GraphBuilder {
  readonly nodes: Node[] = [];

  /** Adds an operation; its name is its place and kind, since layers may have names that TensorFlow does not take. */
  add(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>>): string {
    const name = `${this.nodes.length}_${op}`;
    this.nodes.push({ name, op, inputs, attributes });
    return name;
  }

  placeholder(shape: readonly number[]): Value {
    const attributes = { dtype: attribute.type(dataTypes.float), shape: attribute.shape(shape) };
    return { node: this.add('Placeholder', [], attributes), shape };
  }

  constant(shape: readonly number[], values: Uint8Array | readonly number[]): Value {
    const bytes = values instanceof Uint8Array ? values : bytesOf(Float32Array.from(values));
    return { node: this.#constant(dataTypes.float, shape, bytes), shape };
  }

  number(value: number): Value {
    return this.constant([], [value]);
  }

  /** Sizes or axes: a list of int32, or one without brackets. */
  integers(values: number | readonly number[]): string {
    const list = typeof values === 'number' ? [values] : values;
    const shape = typeof values === 'number' ? [] : [list.length];
    return this.#constant(dataTypes.int32, shape, bytesOf(Int32Array.from(list)));
  }

  #constant(dataType: number, shape: readonly number[], bytes: Uint8Array): string {
    const name = `${this.nodes.length}_Const`;
    this.nodes.push(constantNode(name, dataType, shape, bytes));
    return name;
  }

  /** An operation on each element. */
  map(op: string, value: Value, attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return { node: this.add(op, [value.node], { ...float, ...attributes }), shape: value.shape };
  }

  /** An operation on pairs of elements, with broadcasting. */
  combine(op: string, a: Value, b: Value): Value {
    return { node: this.add(op, [a.node, b.node], float), shape: broadcast(a.shape, b.shape) };
  }

  matMul(a: Value, b: Value): Value {
    return {
      node: this.add('MatMul', [a.node, b.node], float),
      shape: [a.shape[0] as number, b.shape[1] as number],
    };
  }

  /** Rows of a table, by whole numbers that come as FP32. */
  gather(table: Value, numbers: Value): Value {
    const [float32, int32] = [attribute.type(dataTypes.float), attribute.type(dataTypes.int32)];
    const indices = this.add('Cast', [numbers.node], { SrcT: float32, DstT: int32 });
    const node = this.add('GatherV2', [table.node, indices, this.integers(0)], {
      Tparams: float32,
      ...index('Tindices'),
      ...index('Taxis'),
    });
    return { node, shape: [...numbers.shape, ...table.shape.slice(1)] };
  }

  biasAdd(value: Value, bias: Value): Value {
    return { node: this.add('BiasAdd', [value.node, bias.node], float), shape: value.shape };
  }

  /** @param shape with at most one -1. */
  reshape(value: Value, shape: readonly number[]): Value {
    if (shape.filter((size) => size === -1).length > 1)
      throw new NotTranslatable('a layer needs sizes that only a request tells');
    const node = this.add('Reshape', [value.node, this.integers(shape)], { ...float, ...index('Tshape') });
    return { node, shape };
  }

  transpose(value: Value, permutation: readonly number[]): Value {
    const node = this.add('Transpose', [value.node, this.integers(permutation)], {
      ...float,
      ...index('Tperm'),
    });
    return { node, shape: permutation.map((axis) => value.shape[axis] as number) };
  }

  /** `Mean`, `Max` or `Sum` over some axes. */
  reduce(op: string, value: Value, axes: readonly number[], keepDims = false): Value {
    const node = this.add(op, [value.node, this.integers(axes)], {
      ...float,
      ...index('Tidx'),
      keep_dims: attribute.bool(keepDims),
    });
    const shape = value.shape.flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size]));
    return { node, shape };
  }

  concatenate(values: readonly Value[], axis: number): Value {
    const [first] = values as readonly [Value, ...Value[]];
    if (values.length === 1) return first;
    const sizes = values.map(({ shape }) => shape[axis] as number);
    const total = sizes.includes(-1) ? -1 : sizes.reduce((sum, size) => sum + size, 0);
    const node = this.add('ConcatV2', [...values.map((value) => value.node), this.integers(axis)], {
      ...float,
      ...index('Tidx'),
      N: attribute.integer(values.length),
    });
    return { node, shape: first.shape.map((size, i) => (i === axis ? total : size)) };
  }

  /** Equal parts of an axis of known size. */
  split(value: Value, axis: number, parts: number): Value[] {
    const node = this.add('Split', [this.integers(axis), value.node], {
      ...float,
      num_split: attribute.integer(parts),
    });
    const shape = value.shape.map((size, i) => (i === axis ? size / parts : size));
    return Array.from({ length: parts }, (_, part) => ({
      node: part === 0 ? node : `${node}:${part}`,
      shape,
    }));
  }

  /** The steps of axis 1, whose size is known. */
  unstack(value: Value): Value[] {
    const steps = value.shape[1] as number;
    const node = this.add('Unpack', [value.node], {
      ...float,
      num: attribute.integer(steps),
      axis: attribute.integer(1),
    });
    const shape = value.shape.filter((_, axis) => axis !== 1);
    return Array.from({ length: steps }, (_, step) => ({
      node: step === 0 ? node : `${node}:${step}`,
      shape,
    }));
  }

  /** The inverse of `unstack`. */
  stack(values: readonly Value[]): Value {
    const node = this.add(
      'Pack',
      values.map((value) => value.node),
      { ...float, N: attribute.integer(values.length), axis: attribute.integer(1) },
    );
    const [batch = -1, ...inner] = values[0]?.shape ?? [];
    return { node, shape: [batch, values.length, ...inner] };
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Of two shapes as NumPy would; a variable size beside a known one above 1 is that one. */
function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const one = a[i - rank + a.length] ?? 1;
    const other = b[i - rank + b.length] ?? 1;
    if (one === 1) return other;
    return other === 1 || other === -1 || one === other ? one : other;
  });
}
