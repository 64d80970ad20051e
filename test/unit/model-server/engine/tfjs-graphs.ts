/** TensorFlow.js graph models as its converter writes them, written by hand. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

type Attributes = Record<string, unknown>;
interface Node {
  name: string;
  op: string;
  input?: string[];
  attr?: Attributes;
}
interface StoredWeight {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; scale?: number; min?: number };
  bytes: Uint8Array;
}
export interface GraphModel {
  nodes: Node[];
  weights: StoredWeight[];
  library?: unknown;
  /** What `model.json` says besides. */
  more?: Record<string, unknown>;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const words = (...texts: string[]) => ({ list: { s: texts.map(base64) } });
const integers = (...values: number[]) => ({ list: { i: values.map(String) } });
const type = (name: string) => ({ type: name });
const float = { T: type('DT_FLOAT') };
const shape = (sizes: number[]) => ({ shape: { dim: sizes.map((size) => ({ size: String(size) })) } });

const placeholder = (name: string, sizes: number[], dtype = 'DT_FLOAT'): Node => ({
  name,
  op: 'Placeholder',
  attr: { dtype: type(dtype), shape: shape(sizes) },
});
const constant = (name: string, dtype = 'DT_FLOAT'): Node => ({
  name,
  op: 'Const',
  attr: { dtype: type(dtype), value: { tensor: { dtype, tensorShape: {} } } },
});
const node = (name: string, op: string, input: string[], attr: Attributes = float): Node => ({
  name,
  op,
  input,
  attr,
});

function floats(name: string, sizes: number[]): StoredWeight {
  const count = sizes.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, (_, i) => Math.cos(i * 2.3) / 2);
  return { name, shape: sizes, dtype: 'float32', bytes: new Uint8Array(values.buffer) };
}
function int32s(name: string, sizes: number[], values: number[]): StoredWeight {
  return { name, shape: sizes, dtype: 'int32', bytes: new Uint8Array(Int32Array.from(values).buffer) };
}

const window = {
  strides: integers(1, 1, 1, 1),
  padding: { s: base64('SAME') },
  data_format: { s: base64('NHWC') },
  dilations: integers(1, 1, 1, 1),
};
const fused = (...operations: string[]) => ({ fused_ops: words(...operations), epsilon: { f: 0 } });

/** A loop of control flow v1 that doubles its input four times. */
const loop: Node[] = [
  placeholder('x', [-1, 2]),
  constant('zero', 'DT_INT32'),
  constant('one', 'DT_INT32'),
  constant('four', 'DT_INT32'),
  ...(['i', 'v'] as const).flatMap((name): Node[] => {
    const T = { T: type(name === 'i' ? 'DT_INT32' : 'DT_FLOAT') };
    const from = name === 'i' ? 'zero' : 'x';
    return [
      node(`${name}/enter`, 'Enter', [from], {
        ...T,
        frame_name: { s: base64('loop') },
        is_constant: { b: false },
      }),
      node(`${name}/merge`, 'Merge', [`${name}/enter`, `${name}/next`], { ...T, N: { i: '2' } }),
      node(`${name}/switch`, 'Switch', [`${name}/merge`, 'goes_on'], T),
      node(`${name}/exit`, 'Exit', [`${name}/switch`], T),
      node(`${name}/identity`, 'Identity', [`${name}/switch:1`], T),
    ];
  }),
  node('bound', 'Enter', ['four'], {
    T: type('DT_INT32'),
    frame_name: { s: base64('loop') },
    is_constant: { b: true },
  }),
  node('step', 'Enter', ['one'], {
    T: type('DT_INT32'),
    frame_name: { s: base64('loop') },
    is_constant: { b: true },
  }),
  node('less', 'Less', ['i/merge', 'bound'], { T: type('DT_INT32') }),
  node('goes_on', 'LoopCond', ['less'], {}),
  node('i/body', 'AddV2', ['i/identity', 'step'], { T: type('DT_INT32') }),
  node('i/next', 'NextIteration', ['i/body'], { T: type('DT_INT32') }),
  node('v/body', 'AddV2', ['v/identity', 'v/identity']),
  node('v/next', 'NextIteration', ['v/body']),
];

const argument = (name: string, dtype: string) => ({ name, type: dtype });

export const graphModels: Readonly<Record<string, GraphModel>> = {
  'fused products': {
    nodes: [
      placeholder('x', [-1, 4]),
      constant('kernel'),
      constant('bias'),
      constant('slope'),
      node('dense', '_FusedMatMul', ['x', 'kernel', 'bias'], {
        ...{ ...float, ...fused('BiasAdd', 'Relu'), num_args: { i: '1' } },
        ...{ transpose_a: { b: false }, transpose_b: { b: false } },
      }),
      node('y', '_FusedMatMul', ['dense', 'kernel', 'bias', 'slope'], {
        ...{ ...float, ...fused('BiasAdd', 'Prelu'), num_args: { i: '2' } },
        ...{ transpose_a: { b: false }, transpose_b: { b: true } },
      }),
    ],
    weights: [floats('kernel', [4, 4]), floats('bias', [4]), floats('slope', [4])],
  },
  'fused convolutions': {
    nodes: [
      placeholder('x', [-1, 5, 5, 3]),
      constant('kernel'),
      constant('bias'),
      constant('deep'),
      constant('slope'),
      node('convolved', '_FusedConv2D', ['x', 'kernel', 'bias'], {
        ...{ ...float, ...window, ...fused('BiasAdd', 'LeakyRelu') },
        ...{ num_args: { i: '1' }, leakyrelu_alpha: { f: 0.3 } },
      }),
      node('deeper', 'FusedDepthwiseConv2dNative', ['convolved', 'deep', 'bias'], {
        ...{ ...float, ...window, ...fused('BiasAdd', 'Relu6'), num_args: { i: '1' } },
      }),
      node('y', 'Prelu', ['deeper', 'slope']),
    ],
    weights: [
      floats('kernel', [3, 3, 3, 3]),
      floats('bias', [3]),
      floats('deep', [2, 2, 3, 1]),
      floats('slope', [5, 5, 3]),
    ],
  },
  'quantised weights': {
    nodes: [
      placeholder('x', [-1, 4]),
      ...['bytes', 'words', 'halves'].map((name) => constant(name)),
      node('a', 'AddV2', ['x', 'bytes']),
      node('b', 'Mul', ['a', 'words']),
      node('y', 'AddV2', ['b', 'halves']),
    ],
    weights: [
      {
        ...{ name: 'bytes', shape: [4], dtype: 'float32', bytes: Uint8Array.of(0, 1, 128, 255) },
        quantization: { dtype: 'uint8', scale: 0.013, min: -1.5 },
      },
      {
        ...{ name: 'words', shape: [4], dtype: 'float32' },
        bytes: new Uint8Array(Uint16Array.of(0, 1, 30_000, 65_535).buffer),
        quantization: { dtype: 'uint16', scale: 0.0001, min: -2 },
      },
      {
        ...{ name: 'halves', shape: [4], dtype: 'float32' },
        bytes: new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff).buffer),
        quantization: { dtype: 'float16' },
      },
    ],
  },
  'a loop of control flow v1': {
    nodes: [...loop, node('y', 'Identity', ['v/exit'])],
    weights: [int32s('zero', [], [0]), int32s('one', [], [1]), int32s('four', [], [4])],
    more: {
      signature: {
        inputs: { x: { name: 'x:0', dtype: 'DT_FLOAT', tensorShape: shape([-1, 2]).shape } },
        outputs: { y: { name: 'y:0', dtype: 'DT_FLOAT', tensorShape: shape([-1, 2]).shape } },
      },
    },
  },
  'a branch in functions': {
    nodes: [
      placeholder('x', [-1]),
      constant('axis', 'DT_INT32'),
      constant('zero'),
      node('sum', 'Sum', ['x', 'axis'], { ...float, Tidx: type('DT_INT32'), keep_dims: { b: false } }),
      node('positive', 'Greater', ['sum', 'zero']),
      node('y', 'StatelessIf', ['positive', 'x'], {
        Tcond: type('DT_BOOL'),
        Tin: { list: { type: ['DT_FLOAT'] } },
        Tout: { list: { type: ['DT_FLOAT'] } },
        then_branch: { func: { name: 'doubled' } },
        else_branch: { func: { name: 'squared' } },
        output_shapes: { list: { shape: [shape([-1]).shape] } },
      }),
    ],
    weights: [int32s('axis', [1], [0]), { ...floats('zero', []), bytes: new Uint8Array(4) }],
    library: {
      function: (
        [
          ['doubled', 'AddV2'],
          ['squared', 'Mul'],
        ] as const
      ).map(([name, op]) => ({
        signature: { name, inputArg: [argument('v', 'DT_FLOAT')], outputArg: [argument('r', 'DT_FLOAT')] },
        nodeDef: [node('z', op, ['v', 'v'])],
        ret: { r: 'z:z:0' },
      })),
    },
    more: {
      signature: {
        inputs: { x: { name: 'x:0', dtype: 'DT_FLOAT', tensorShape: shape([-1]).shape } },
        outputs: { y: { name: 'y:0', dtype: 'DT_FLOAT', tensorShape: shape([-1]).shape } },
      },
    },
  },
  'integers of 64 bits': {
    nodes: [
      placeholder('x', [-1], 'DT_INT32'),
      constant('offset', 'DT_INT64'),
      node('wide', 'Cast', ['x'], { SrcT: type('DT_INT32'), DstT: type('DT_INT64') }),
      node('sum', 'AddV2', ['wide', 'offset'], { T: type('DT_INT64') }),
      node('y', 'Cast', ['sum'], { SrcT: type('DT_INT64'), DstT: type('DT_FLOAT') }),
    ],
    weights: [int32s('offset', [1], [-7])],
  },
};

export const untranslatedGraphs: Readonly<Record<string, readonly [GraphModel, string]>> = {
  'an operation of its own': [
    {
      nodes: [placeholder('x', [-1, 4]), node('y', 'OfNobody', ['x'])],
      weights: [],
    },
    'TensorFlow does not take its graph: ',
  ],
  'a table': [
    {
      nodes: [placeholder('x', [-1, 4]), node('y', 'Relu', ['x'])],
      weights: [],
      more: { modelInitializer: { node: [] } },
    },
    'it fills tables at its start',
  ],
};

export async function writeGraphModel(directory: string, model: GraphModel): Promise<void> {
  const { nodes, weights, library = {}, more = {} } = model;
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'weights.bin'), Buffer.concat(weights.map(({ bytes }) => bytes)));
  const specs = weights.map(({ bytes: _, ...spec }) => spec);
  await writeFile(
    join(directory, 'model.json'),
    JSON.stringify({
      ...{ format: 'graph-model', generatedBy: '2.19.1', convertedBy: null, ...more },
      modelTopology: { node: nodes, library, versions: { producer: 2129 } },
      weightsManifest: [{ paths: ['weights.bin'], weights: specs }],
    }),
  );
}
