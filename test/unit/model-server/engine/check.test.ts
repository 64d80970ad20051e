import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkInputs, shapeMismatch } from '../../../../model-server/engine/check.ts';
import { EngineError } from '../../../../model-server/engine/engine.ts';
import {
  datatypes,
  elementCount,
  type Signature,
  type Tensor,
  type TensorSpec,
} from '../../../../model-server/protocol/tensor.ts';
import { bytes, floats, tensor } from './tensors.ts';

const spec = (
  name: string,
  shape: number[] | null,
  datatype: TensorSpec['datatype'] = 'FP32',
): TensorSpec => ({
  name,
  shape,
  datatype,
  tensorName: `${name}:0`,
});
const taking = (...inputs: TensorSpec[]): Signature => ({
  name: 'serving_default',
  inputs,
  outputs: [],
  methodName: '',
});
const sentence = (signature: Signature, inputs: Record<string, Tensor>): string => {
  try {
    checkInputs(signature, new Map(Object.entries(inputs)));
    return 'fits';
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    expect((error as EngineError).kind).toBe('InvalidArgument');
    return (error as EngineError).message;
  }
};

describe('checkInputs', () => {
  const image = taking(spec('image', [-1, 32, 32, 3]));

  test('names the input, what was found and what was expected', () => {
    expect(sentence(image, { image: floats([31, 32, 3], new Array(31 * 32 * 3).fill(0)) })).toBe(
      'inputs[0] "image": shape [31,32,3] found, [-1,32,32,3] expected',
    );
    expect(sentence(image, { image: floats([1, 31, 32, 3], new Array(31 * 32 * 3).fill(0)) })).toBe(
      'inputs[0] "image": shape [1,31,32,3] found, [-1,32,32,3] expected',
    );
    const two = taking(spec('a', [-1]), spec('b', [2], 'BOOL'));
    expect(sentence(two, { a: floats([1], [0]), b: tensor('BOOL', [2], [1, 2]) })).toBe(
      'inputs[1] "b": element 1 is 2, a BOOL is 0 or 1',
    );
  });

  test('gives the signature’s order whatever the client’s, and the same tensors where nothing is cast', () => {
    const signature = taking(spec('a', [-1]), spec('b', [-1], 'INT64'));
    const a = floats([1], [Number.NaN]);
    const checked = checkInputs(
      signature,
      new Map([
        ['b', tensor('INT8', [1], [-1])],
        ['a', a],
      ]),
    );
    expect([...checked.keys()]).toEqual(['a', 'b']);
    expect(checked.get('a')).toBe(a);
    expect(checked.get('b')).toEqual(tensor('INT64', [1], [-1n]));
  });

  test('a message does not grow with what was sent', () => {
    const name = 'x'.repeat(1_000_000);
    expect(sentence(image, { [name]: floats([1], [0]) }).length).toBeLessThan(200);
    expect(sentence(taking(spec('a', [-1])), { a: bytes([1], [name]) }).length).toBeLessThan(200);
    const rank = new Array(100_000).fill(1);
    expect(sentence(image, { image: floats(rank, [0]) }).length).toBeLessThan(200);
  });

  test('names such as __proto__ are names', () => {
    expect(sentence(image, { ['__proto__']: floats([1], [0]) })).toContain('"image" expected');
    expect(sentence(taking(spec('__proto__', [1])), { image: floats([1], [0]) })).toContain(
      '"__proto__" expected',
    );
  });
});

describe('shapeMismatch', () => {
  test.each([
    [[0], 'has no elements'],
    [[1.5], 'whole numbers'],
    [[-1], 'whole numbers'],
    [[Number.NaN], 'whole numbers'],
    [[2 ** 53], 'whole numbers'],
    [[2 ** 52], 'too large'],
  ])('%j', (shape, reason) => {
    expect(shapeMismatch(spec('x', [-1]), shape)).toContain(reason);
  });

  test('a dimension of 0 passes only where the model has it', () => {
    expect(shapeMismatch(spec('x', [-1, 0]), [2, 0])).toBeUndefined();
    expect(shapeMismatch(spec('x', null), [2, 0])).toContain('has no elements');
  });

  test('any rank is any rank up to TensorFlow’s limit', () => {
    expect(shapeMismatch(spec('x', null), [])).toBeUndefined();
    expect(shapeMismatch(spec('x', null), new Array(254).fill(1))).toBeUndefined();
    expect(shapeMismatch(spec('x', null), new Array(255).fill(1))).toContain('at most 254');
  });
});

test('what passes has the declared rank, sizes and datatype, and as many elements as its shape says', () => {
  const sizes = fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 4 });
  const inputs = fc.record({
    datatype: fc.constantFrom(...datatypes.filter((datatype) => datatype !== 'BYTES')),
    shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
    extra: fc.constantFrom(0, 0, 0, 1, -1),
  });
  fc.assert(
    fc.property(sizes, fc.constantFrom(...datatypes), inputs, (shape, datatype, input) => {
      const length = Math.max(elementCount(input.shape) + input.extra, 0);
      const value = tensor(input.datatype as 'FP32', input.shape, []);
      const wide = ['INT64', 'UINT64'].includes(input.datatype);
      const given = {
        ...value,
        data: tensor(input.datatype as 'FP32', [], new Array(length).fill(wide ? 1n : 1)).data,
      };
      let passed: Tensor | undefined;
      try {
        passed = checkInputs(taking(spec('x', shape, datatype)), new Map([['x', given as Tensor]])).get('x');
      } catch (error) {
        expect(error).toBeInstanceOf(EngineError);
        return;
      }
      expect(passed?.datatype).toBe(datatype);
      expect(passed?.shape).toHaveLength(shape.length);
      expect(passed?.data).toHaveLength(elementCount(passed?.shape ?? []));
      shape.forEach((size, axis) => {
        expect(size === -1 ? (passed?.shape[axis] ?? 0) > 0 : passed?.shape[axis] === size).toBe(true);
      });
    }),
    { numRuns: 2000 },
  );
});
