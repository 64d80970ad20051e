import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BusyTime } from '../../../../model-server/engine/busy-time.ts';
import { detectFormat } from '../../../../model-server/engine/detect.ts';
import { EngineError } from '../../../../model-server/engine/engine.ts';
import { hasVariables } from '../../../../model-server/engine/graph/graph-view.ts';
import { fieldsOf, signedOf } from '../../../../model-server/engine/protobuf.ts';
import { servingGraph } from '../../../../model-server/engine/saved-model.ts';
import { graphSignature, layersSignature } from '../../../../model-server/engine/tfjs-signature.ts';

const plus = readFileSync(new URL('../../../fixtures/models/plus/saved_model.pb', import.meta.url));

function sentence(work: () => unknown): string {
  try {
    work();
    return 'no error';
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return (error as EngineError).message;
  }
}

describe('detectFormat', () => {
  test.each([
    [['saved_model.pb', 'variables'], undefined, 'SavedModel'],
    [['model.json', 'weights.bin'], '{"format":"layers-model"}', 'TFJSLayers'],
    [['model.json'], '{"format":"graph-model"}', 'TFJSGraph'],
    [['model.json'], '{"modelTopology":{"node":[]}}', 'TFJSGraph'],
    [['model.json'], '{"modelTopology":{"class_name":"Sequential","config":{}}}', 'TFJSLayers'],
    [['model.json'], '{"modelTopology":{"model_config":{}}}', 'TFJSLayers'],
  ] as const)('%j %s', (files, json, format) => {
    expect(detectFormat(files, json)).toBe(format);
  });

  test.each([
    [[], undefined, 'neither saved_model.pb nor model.json is in the directory; it is empty'],
    [['b', 'a'], undefined, 'neither saved_model.pb nor model.json is in the directory; it has a, b'],
    [['saved_model.pb', 'model.json'], '{}', 'both saved_model.pb and model.json are there: say which'],
    [['model.json'], '[]', 'model.json is not a JSON object'],
    [['model.json'], 'null', 'model.json is not a JSON object'],
    [['model.json'], '{', 'model.json is not JSON'],
    [['model.json'], '{}', 'its "format" is missing'],
    [['model.json'], '{"modelTopology":null}', 'its "format" is missing'],
  ] as const)('%j %s is refused', (files, json, reason) => {
    expect(sentence(() => detectFormat(files, json))).toContain(reason);
  });

  test('whatever model.json holds, it is a format or a sentence', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (json) => {
        expect(typeof sentence(() => detectFormat(['model.json'], json))).toBe('string');
      }),
    );
  });
});

describe('saved_model.pb', () => {
  test('has the graph and signatures that were exported', () => {
    const graph = servingGraph(plus);
    expect(graph.tags).toEqual(['serve']);
    expect(graph.signatures.map(({ name }) => name)).toEqual([
      'any_rank',
      'convolve',
      'echo',
      'look_up',
      'serving_default',
      'two',
    ]);
    expect(graph.signatures.find(({ name }) => name === 'convolve')).toEqual({
      name: 'convolve',
      methodName: 'tensorflow/serving/predict',
      inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 8, 8, 3], tensorName: 'convolve_image:0' }],
      outputs: [{ name: 'score', datatype: 'FP32', shape: [-1, 2], tensorName: 'StatefulPartitionedCall:0' }],
    });
    expect(hasVariables(graph.view)).toBe(true);
  });

  test('cut off anywhere, or with any byte changed, it is a graph or a sentence', () => {
    fc.assert(
      fc.property(fc.nat(plus.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
        const damaged = cut ? plus.subarray(0, at) : Uint8Array.from(plus);
        if (!cut) (damaged as Uint8Array)[at] = byte;
        expect(typeof sentence(() => servingGraph(damaged))).toBe('string');
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        expect(sentence(() => servingGraph(garbage))).toContain('saved_model.pb');
      }),
    );
  });

  test('signatures with types that cannot travel are left out, and named when none is left', () => {
    const field = (number: number, content: number[] | string) => {
      const bytes = typeof content === 'string' ? [...Buffer.from(content)] : content;
      return [(number << 3) | 2, bytes.length, ...bytes];
    };
    const input = [...field(1, 'z'), ...field(2, [...field(1, 'z:0'), (2 << 3) | 0, 8])];
    const signature = [...field(1, 'serving_default'), ...field(2, field(1, input))];
    const metaGraph = [...field(1, field(4, 'serve')), ...field(5, signature)];
    expect(sentence(() => servingGraph(Uint8Array.from(field(2, metaGraph))))).toBe(
      'saved_model.pb has no signature that can be served: signature "serving_default": "z" has TensorFlow\'s data ' +
        'type 8, which cannot be served; export it with signatures=…',
    );
  });
});

test('protobuf numbers: negative ones have ten bytes, endless ones are refused', () => {
  const minusOne = Uint8Array.from([8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
  expect([...fieldsOf(minusOne)].map(signedOf)).toEqual([-1]);
  expect(() => [...fieldsOf(new Uint8Array(20).fill(255))]).toThrow(RangeError);
});

describe('signatures of TensorFlow.js models', () => {
  test('layers: names of the layers, null is variable', () => {
    const signature = layersSignature(
      ['flow'],
      [{ name: 'flow', shape: [null, 24], dtype: 'float32' }],
      ['mean'],
      [{ name: 'mean/BiasAdd', shape: [null, 1], dtype: 'float32' }],
    );
    expect(signature).toEqual({
      name: 'serving_default',
      methodName: 'tensorflow/serving/predict',
      inputs: [{ name: 'flow', datatype: 'FP32', shape: [-1, 24], tensorName: 'flow' }],
      outputs: [{ name: 'mean', datatype: 'FP32', shape: [-1, 1], tensorName: 'mean/BiasAdd' }],
    });
  });

  test('graph: names of the signature; captured resources are not asked of clients; int64 is the library’s int32', () => {
    const nodes = [
      { name: 'ids', dtype: 'int32', shape: undefined },
      { name: 'table', dtype: 'float32' },
    ];
    const signature = graphSignature(
      {
        inputs: {
          words: { name: 'ids:0', dtype: 'DT_INT64', tensorShape: { dim: [{ size: '-1' }, { size: 7 }] } },
          unknown: { name: 'table:0', dtype: 'DT_RESOURCE', resourceId: 4 },
        },
        outputs: { best: { name: 'argmax:0', dtype: 'DT_INT64', tensorShape: { unknownRank: true } } },
      },
      nodes,
      [{ name: 'argmax' }],
    );
    expect(signature.inputs).toEqual([
      { name: 'words', datatype: 'INT32', shape: [-1, 7], tensorName: 'ids:0' },
    ]);
    expect(signature.outputs).toEqual([
      { name: 'best', datatype: 'INT32', shape: null, tensorName: 'argmax:0' },
    ]);
  });

  test('what cannot travel or is not there is said', () => {
    expect(sentence(() => graphSignature(undefined, [{ name: 'x', dtype: 'complex64' }], []))).toBe(
      '"x" has the dtype complex64, which cannot be served',
    );
    expect(sentence(() => graphSignature({ inputs: { x: { name: 'y:0' } } }, [], []))).toContain(
      'is not in the graph',
    );
  });
});

test('busy time counts what overlaps once, and what goes on already', async () => {
  let now = 0;
  const busy = new BusyTime(() => now);
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const works = [busy.during(() => first.promise), busy.during(() => second.promise)];
  now = 2;
  expect([busy.going, busy.seconds]).toEqual([2, 2]);
  first.resolve();
  await works[0];
  now = 5;
  second.reject(new Error('failed'));
  await expect(works[1]).rejects.toThrow('failed');
  now = 9;
  expect([busy.going, busy.seconds]).toEqual([0, 5]);
});
