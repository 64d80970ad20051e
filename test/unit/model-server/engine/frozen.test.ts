import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { sessionAddon, sessionConfig } from '../../../../model-server/engine/addon.ts';
import { type Engine, EngineError, type LoadedModel } from '../../../../model-server/engine/engine.ts';
import { freezable } from '../../../../model-server/engine/frozen/freeze.ts';
import { freezableModel, frozenSession } from '../../../../model-server/engine/frozen/frozen-session.ts';
import { NotFreezable } from '../../../../model-server/engine/frozen/not-freezable.ts';
import { attribute, graphDef, type Node } from '../../../../model-server/engine/graph/graph-def.ts';
import { type GraphView, viewGraph } from '../../../../model-server/engine/graph/graph-view.ts';
import { concatenated, type Encoded } from '../../../../model-server/engine/graph/protobuf-writer.ts';
import { startEngine } from '../../../../model-server/engine/host.ts';
import { sameSignatures } from '../../../../model-server/engine/same-signatures.ts';
import { servingGraph } from '../../../../model-server/engine/saved-model.ts';
import type { Datatype, Tensor } from '../../../../model-server/protocol/tensor.ts';
import { type Body, call, FLOAT, functionDef, inner, node, read, type, types, variable } from './graphs.ts';
import { bytes, floats, tensor } from './tensors.ts';

// Reading TensorFlow takes as long as the machine is busy.
jest.setTimeout(60_000);

const folder = fileURLToPath(new URL('../../../fixtures/models/variables/', import.meta.url));

type Nested = number | string | readonly Nested[];
interface Answer {
  readonly model: string;
  readonly signature: string;
  readonly input: string;
  readonly given: readonly Nested[];
  readonly output: string;
  readonly values: readonly number[];
}
const answers = JSON.parse(readFileSync(`${folder}answers.json`, 'utf8')) as Answer[];

const fileOf = (model: string) => readFileSync(`${folder}${model}/saved_model.pb`);
const served = (model: string) => servingGraph(fileOf(model));
const joined = ({ pieces }: Encoded) => Buffer.concat(pieces);

/** Of the graph and of its functions. */
function opsOf({ nodes, functions }: GraphView): Set<string> {
  const bodies = [nodes, ...[...functions.values()].map((each) => each.nodes)];
  return new Set(bodies.flatMap((body) => [...body.values()].map(({ op }) => op)));
}

function toTensor(datatype: Datatype | undefined, given: readonly Nested[]): Tensor {
  const shape: number[] = [];
  for (let part: Nested = given; Array.isArray(part); part = part[0]) shape.push(part.length);
  const flat = (given as readonly unknown[]).flat(shape.length as 1);
  if (datatype === 'BYTES') return bytes(shape, flat as string[]);
  if (datatype === 'INT64') return tensor(datatype, shape, (flat as number[]).map(BigInt));
  return tensor(datatype as 'FP32', shape, flat as number[]);
}

describe('models of TensorFlow', () => {
  let engine: Engine;
  const loaded = new Map<string, LoadedModel>();
  beforeAll(async () => {
    engine = startEngine();
    for (const model of new Set(answers.map((answer) => answer.model))) {
      loaded.set(model, await engine.load(model, folder + model));
    }
  });
  afterAll(() => engine.close());

  test.each(answers)('$model, $signature: answers as TensorFlow does', async (answer) => {
    const { model, signature, input, given, output, values } = answer;
    const spec = loaded.get(model)?.signatures.get(signature)?.inputs[0];
    const inputs = new Map([[input, toTensor(spec?.datatype, given)]]);
    const outputs = await engine.run(model, signature, inputs);
    const got = Array.from(outputs.get(output)?.data as Float32Array);
    expect(got).toHaveLength(values.length);
    for (const [at, value] of values.entries()) expect(got[at]).toBeCloseTo(value, 5);
  });

  test.each(['images', 'sequences', 'control'])('%s: variables are constants', (model) => {
    expect(loaded.get(model)?.remarks).toEqual([]);
    const { variables, write } = freezableModel(served(model), new Map());
    expect(variables.length).toBeGreaterThan(3);
    const written = joined(
      write(
        variables.map(({ byteLength }) => ({ shape: [byteLength / 4], bytes: new Uint8Array(byteLength) })),
      ),
    );
    for (const gone of ['VarHandleOp', 'ReadVariableOp', 'RestoreV2']) {
      expect(opsOf(served(model).view)).toContain(gone);
      expect(opsOf(viewGraph(written))).not.toContain(gone);
    }
  });

  test('a model that changes a variable keeps it, and counts on', async () => {
    expect(loaded.get('counter')?.remarks).toEqual([
      'the model keeps its variables, with which it may run slower: "AssignAddVariableOp" (AssignAddVariableOp) does more with a variable than read it',
    ]);
    const call = async () => {
      const outputs = await engine.run('counter', 'serving_default', new Map([['x', floats([1], [0])]]));
      return outputs.get('y')?.data[0] as number;
    };
    const first = await call();
    expect(await call()).toBe(first + 1);
  });

  test('a model that looks words up keeps its variables', () => {
    expect(loaded.get('table')?.remarks).toEqual([
      expect.stringMatching(
        /^the model keeps its variables, .*: the function ".*" is given "unknown", no variable$/,
      ),
    ]);
  });
});

const frozen = (nodes: Node[], ...functions: Body[]) => {
  const graph = graphDef(nodes, 1000, concatenated(functions.map(functionDef)));
  return freezable(viewGraph(joined(graph)), ['y:0']);
};

describe('graphs', () => {
  test('what is not needed is left out', () => {
    const unused = { ...variable, name: 'optimizer' };
    const { variables, write } = frozen([variable, unused, read(['v'])]);
    expect(variables).toEqual([{ name: 'v', dataType: FLOAT, byteLength: 24 }]);
    const { nodes } = viewGraph(joined(write([{ shape: [2, 3], bytes: new Uint8Array(24) }])));
    expect([...nodes.values()].map(({ name, op }) => `${name}: ${op}`)).toEqual(['v: Const', 'y: Identity']);
  });

  test('functions are given values, and outputs go by their new names', () => {
    const reads = inner(
      [read(['handle'], 'r'), node('Relu', ['r:value:0'], type, 'relu')],
      'relu:activations:0',
    );
    const { write } = frozen([variable, call('inner', 'v')], reads);
    const { functions } = viewGraph(joined(write([{ shape: [2, 3], bytes: new Uint8Array(24) }])));
    const body = functions.get('inner');
    expect(body?.inputs).toEqual([{ name: 'handle', dataType: FLOAT }]);
    expect(body?.nodes.get('r')).toMatchObject({ op: 'Identity', inputs: ['handle'] });
    expect(body?.nodes.get('relu')).toMatchObject({ op: 'Relu', inputs: ['r:output:0'] });
  });

  test('circles come to an end', () => {
    expect(frozen([variable, node('Identity', ['y'], type)]).variables).toEqual([]);
    expect(frozen([variable, node('While', ['y'], { T: types(FLOAT) })]).variables).toEqual([]);
  });

  test.each<[string, () => unknown]>([
    [
      '"y" (AssignSubVariableOp) does more with a variable than read it',
      () => frozen([variable, node('AssignSubVariableOp', ['v', 'v'])]),
    ],
    [
      '"y" (SomethingNew) does more with a variable than read it',
      () => frozen([variable, node('SomethingNew', ['v'])]),
    ],
    [
      '"y" (toString) does more with a variable than read it',
      () => frozen([variable, node('toString', ['v'])]),
    ],
    [
      '"y" (ReadVariableOp) does more with a variable than read it',
      () => frozen([variable, node('ReadVariableOp', ['v'], { dtype: attribute.type(2) })]),
    ],
    [
      '"y" (ResourceGather) does more with a variable than read it',
      () => frozen([variable, node('ResourceGather', ['v', 'v'], { dtype: attribute.type(FLOAT) })]),
    ],
    ['"y" (HashTableV2) keeps state of its own', () => frozen([node('HashTableV2', [])])],
    [
      '"inside" (VarHandleOp) keeps state of its own',
      () =>
        frozen(
          [variable, call('inner', 'v')],
          inner([{ ...variable, name: 'inside' }, read(['inside'], 'r')], 'r:value:0'),
        ),
    ],
    [
      'the variable "v" has no fixed shape',
      () =>
        frozen([
          { ...variable, attributes: { dtype: attribute.type(FLOAT), shape: attribute.shape([-1]) } },
          read(['v']),
        ]),
    ],
    [
      'the variable "v" has the data type 7',
      () =>
        frozen([
          { ...variable, attributes: { dtype: attribute.type(7), shape: attribute.shape([1]) } },
          read(['v']),
        ]),
    ],
    ['there is no "y"', () => frozen([variable])],
    ['there is no "nowhere"', () => frozen([node('Identity', ['nowhere'], type)])],
    ['there is no function "inner"', () => frozen([variable, call('inner', 'v')])],
    [
      'the function "inner" calls itself',
      () =>
        frozen(
          [variable, call('inner', 'v')],
          inner([{ ...call('inner', 'handle'), name: 'again' }], 'again:output:0'),
        ),
    ],
    [
      'the function "inner" is given "handle", no variable',
      () =>
        frozen(
          [node('Placeholder', [], {}, 'x'), call('inner', 'x')],
          inner([read(['handle'], 'r')], 'r:value:0'),
        ),
    ],
    [
      'the function "inner" is called for variables of unlike types',
      () => {
        const whole = {
          ...variable,
          name: 'w',
          attributes: { ...variable.attributes, dtype: attribute.type(2) },
        };
        const twice = [
          { ...call('inner', 'v'), name: 'a' },
          { ...call('inner', 'w'), name: 'b' },
          node('AddV2', ['a', 'b'], type),
        ];
        return frozen([variable, whole, ...twice], inner([node('Const', [], {}, 'r')], 'r:output:0'));
      },
    ],
    [
      '"y" (StatefulPartitionedCall) does more with a variable than read it',
      () => frozen([variable, call('inner', 'v')], inner([], 'handle')),
    ],
  ])('%s', (sentence, work) => {
    expect(work).toThrow(new NotFreezable(sentence));
  });

  test('files beside the graph, and large variables, are left alone', () => {
    const model = served('control');
    expect(() => freezableModel({ ...model, hasAssets: true }, new Map())).toThrow(
      'it fills tables from files',
    );
    const large = {
      ...variable,
      attributes: { ...variable.attributes, shape: attribute.shape([2 ** 23, 2]) },
    };
    const view = viewGraph(joined(graphDef([large, read(['v'])], 1000)));
    const y = { name: 'y', datatype: 'FP32', shape: null, tensorName: 'y:0' } as const;
    const signatures = [{ name: 'serving_default', methodName: '', inputs: [], outputs: [y] }];
    expect(() => freezableModel({ ...model, view, signatures }, new Map())).toThrow(
      'its variables have 64 MiB, more than 32',
    );
  });

  test('a graph that TensorFlow does not take is told as such', async () => {
    const native = sessionAddon();
    const restored = await native.importGraph(
      graphDef([node('NoOp', [])], 1000).pieces,
      sessionConfig('Restores'),
    );
    const unknown = frozen([node('NobodyKnowsThis', [])]);
    await expect(frozenSession(native, restored, unknown)).rejects.toThrow(
      /^TensorFlow does not take its graph: .*NobodyKnowsThis/,
    );
    await native.close(restored);
  });

  test('damaged graphs are refused in a sentence', () => {
    const files = ['images', 'sequences', 'control'].map(fileOf);
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(...files), damage, (file, changes) => {
        const damaged = Uint8Array.from(file);
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        try {
          const graph = servingGraph(damaged);
          freezableModel(graph, sameSignatures(graph.signatures, graph.view));
        } catch (error) {
          expect([EngineError, NotFreezable, RangeError]).toContain((error as Error).constructor);
        }
      }),
      { numRuns: 300 },
    );
  });
});
