/**
 * The models of the server's benchmark, written as SavedModels with constant weights: an image classifier for
 * 32 × 32 × 3 pixels (two convolutions, two dense layers) and a regression over one row of 24 numbers (two dense layers).
 * What they answer means nothing; what they cost is that of such models.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes, type Encoded, entry, message, number } from './protobuf-writer.ts';

/** DT_FLOAT and DT_INT32 of tensorflow/core/framework/types.proto. */
const FLOAT = 1;
const INT32 = 3;

export interface BenchModel {
  readonly name: string;
  /** Rows in one request, each measured. */
  readonly rowsPerRequest: readonly number[];
  /** Of one large request, beside which small ones are measured; absent: that is not measured. */
  readonly largeRows?: number;
  /** How rows of the benchmark call a request of so many rows. */
  requests(rows: number): string;
  /** Without the number of rows. */
  readonly inputShape: readonly number[];
  /** What precedes the output in the graph, in order. */
  readonly nodes: readonly Encoded[];
  readonly output: { readonly node: string; readonly size: number };
}

export const benchModels: readonly BenchModel[] = [
  {
    name: 'image',
    rowsPerRequest: [1, 8],
    requests: (rows) => (rows === 1 ? 'one 32×32×3 image' : `${rows} 32×32×3 images`),
    inputShape: [32, 32, 3],
    nodes: [
      ...convolution('conv1', 'x', [3, 3, 3, 32]),
      ...convolution('conv2', 'conv1', [3, 3, 32, 64]),
      constant('flat_shape', INT32, [2], Buffer.from(Int32Array.from([-1, 8 * 8 * 64]).buffer)),
      node('flat', 'Reshape', ['conv2', 'flat_shape'], [type('T', FLOAT), type('Tshape', INT32)]),
      ...dense('dense1', 'flat', [8 * 8 * 64, 64], 'Relu'),
      ...dense('y', 'dense1', [64, 10], 'Softmax'),
    ],
    output: { node: 'y', size: 10 },
  },
  {
    name: 'table',
    rowsPerRequest: [1],
    largeRows: 40_000,
    requests: (rows) =>
      rows === 1 ? 'one row of 24 numbers' : `${rows.toLocaleString('en')} rows of 24 numbers`,
    inputShape: [24],
    nodes: [...dense('dense1', 'x', [24, 64], 'Relu'), ...dense('y', 'dense1', [64, 1], 'Identity')],
    output: { node: 'y', size: 1 },
  },
];

/** Writes `directory/saved_model.pb`, with the input `x` and the output `y`. */
export async function writeBenchModel(directory: string, model: BenchModel): Promise<void> {
  const { inputShape, nodes, output } = model;
  const input = node('x', 'Placeholder', [], [type('dtype', FLOAT), shapeAttribute([-1, ...inputShape])]);
  const graph = message(2, ...[input, ...nodes].map((each) => bytes(1, each)));
  const signature = [
    entry(1, 'x', ...tensorInfo('x:0', [-1, ...inputShape])),
    entry(2, 'y', ...tensorInfo(`${output.node}:0`, [-1, output.size])),
    bytes(3, 'tensorflow/serving/predict'),
  ];
  const metaGraph = message(
    2,
    message(1, bytes(4, 'serve')),
    graph,
    entry(5, 'serving_default', ...signature),
  );
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'saved_model.pb'), Buffer.concat([number(1, 1), metaGraph]));
}

function convolution(
  name: string,
  from: string,
  [height, width, ins, outs]: [number, number, number, number],
) {
  const strides = (size: number) => Buffer.concat([1, size, size, 1].map((step) => number(3, step)));
  const attributes = [type('T', FLOAT), attribute('padding', bytes(2, 'SAME'))];
  return [
    weights(`${name}_kernel`, [height, width, ins, outs]),
    weights(`${name}_bias`, [outs]),
    node(
      `${name}_conv`,
      'Conv2D',
      [from, `${name}_kernel`],
      [...attributes, attribute('strides', message(1, strides(1)))],
    ),
    node(`${name}_add`, 'BiasAdd', [`${name}_conv`, `${name}_bias`], [type('T', FLOAT)]),
    node(`${name}_relu`, 'Relu', [`${name}_add`], [type('T', FLOAT)]),
    node(
      name,
      'MaxPool',
      [`${name}_relu`],
      [
        ...attributes,
        attribute('ksize', message(1, strides(2))),
        attribute('strides', message(1, strides(2))),
      ],
    ),
  ];
}

function dense(
  name: string,
  from: string,
  [ins, outs]: [number, number],
  activation: 'Relu' | 'Softmax' | 'Identity',
) {
  return [
    weights(`${name}_kernel`, [ins, outs]),
    weights(`${name}_bias`, [outs]),
    node(`${name}_product`, 'MatMul', [from, `${name}_kernel`], [type('T', FLOAT)]),
    node(`${name}_add`, 'BiasAdd', [`${name}_product`, `${name}_bias`], [type('T', FLOAT)]),
    node(name, activation, [`${name}_add`], [type('T', FLOAT)]),
  ];
}

/** Weights that differ, so that nothing can be folded away, and stay small. */
function weights(name: string, shape: readonly number[]): Encoded {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i) / 16);
  return constant(name, FLOAT, shape, Buffer.from(values.buffer));
}

/** NodeDef: name 1, op 2, input 3, attr 5. */
function node(
  name: string,
  operation: string,
  inputs: readonly string[],
  attributes: readonly Encoded[],
): Encoded {
  return Buffer.concat([
    bytes(1, name),
    bytes(2, operation),
    ...inputs.map((each) => bytes(3, each)),
    ...attributes,
  ]);
}

/** TensorProto: dtype 1, tensor_shape 2, tensor_content 4. */
function constant(name: string, dtype: number, shape: readonly number[], content: Buffer): Encoded {
  const tensor = message(8, number(1, dtype), message(2, ...dimensions(shape)), bytes(4, content));
  return node(name, 'Const', [], [type('dtype', dtype), attribute('value', tensor)]);
}

function attribute(name: string, value: Encoded): Encoded {
  return entry(5, name, value);
}

function type(name: string, dtype: number): Encoded {
  return attribute(name, number(6, dtype));
}

function shapeAttribute(shape: readonly number[]): Encoded {
  return attribute('shape', message(7, ...dimensions(shape)));
}

function dimensions(shape: readonly number[]): Encoded[] {
  return shape.map((size) => message(2, number(1, size)));
}

/** TensorInfo: name 1, dtype 2, tensor_shape 3. */
function tensorInfo(name: string, shape: readonly number[]): Encoded[] {
  return [bytes(1, name), number(2, FLOAT), message(3, ...dimensions(shape))];
}
