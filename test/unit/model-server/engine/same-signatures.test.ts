import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { graphDef, type Node } from '../../../../model-server/engine/graph/graph-def.ts';
import { viewGraph } from '../../../../model-server/engine/graph/graph-view.ts';
import { concatenated } from '../../../../model-server/engine/graph/protobuf-writer.ts';
import { sameSignatures } from '../../../../model-server/engine/same-signatures.ts';
import { servingGraph } from '../../../../model-server/engine/saved-model.ts';
import type { Signature } from '../../../../model-server/protocol/tensor.ts';
import { type Body, call, functionDef, inner, node, read, type, variable } from './graphs.ts';

const models = new URL('../../../fixtures/models/', import.meta.url);

test.each([
  ['variables/images', [['serving_default', 'serve']]],
  ['variables/sequences', [['serving_default', 'serve']]],
  ['variables/control', []],
  ['plus', []],
  ['half-plus-two/00000123', []],
])('%s: %j', (model, same) => {
  const { signatures, view } = servingGraph(readFileSync(new URL(`${model}/saved_model.pb`, models)));
  expect([...sameSignatures(signatures, view)]).toEqual(same);
});

const signature = (name: string, tensorName = `${name}:0`): Signature => ({
  ...{ name, methodName: '', inputs: [] },
  outputs: [{ name: 'y', datatype: 'FP32', shape: null, tensorName }],
});
const reading: Body = inner([read(['handle'], 'r')], 'r:value:0');
const relu: Body = {
  ...inner([read(['handle'], 'r'), node('Relu', ['r:value:0'], type, 'relu')], 'relu:activations:0'),
  name: 'relu',
};
const other: Node = { ...variable, name: 'w' };
const named = (name: string, of: Node): Node => ({ ...of, name });

describe('signatures of calls', () => {
  const same = (nodes: Node[], ...functions: Body[]) => {
    const { pieces } = graphDef([variable, other, ...nodes], 1000, concatenated(functions.map(functionDef)));
    return [...sameSignatures([signature('a'), signature('b')], viewGraph(Buffer.concat(pieces)))];
  };

  test('of functions that differ by name alone are the same', () => {
    const twin = { ...reading, name: 'twin' };
    expect(same([named('a', call('inner', 'v')), named('b', call('twin', 'v'))], reading, twin)).toEqual([
      ['b', 'a'],
    ]);
  });

  test.each<[string, Node[]]>([
    ['another function', [named('a', call('inner', 'v')), named('b', call('relu', 'v'))]],
    ['another variable', [named('a', call('inner', 'v')), named('b', call('inner', 'w'))]],
    ['no call', [named('a', call('inner', 'v')), read(['v'], 'b')]],
    ['no node', [named('a', call('inner', 'v'))]],
    ['no function', [named('a', call('gone', 'v')), named('b', call('gone', 'v'))]],
  ])('with %s are not', (_, nodes) => {
    expect(same(nodes, reading, relu)).toEqual([]);
  });
});
