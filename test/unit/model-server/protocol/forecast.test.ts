import { describe, expect, test } from '@jest/globals';
import { encodeForecast, forecastInputs, parseForecast } from '../../../../model-server/protocol/forecast.ts';
import {
  type ForecastDeclaration,
  readDeclaration,
} from '../../../../model-server/protocol/forecast-model.ts';
import type { NamedTensors, Signature } from '../../../../model-server/protocol/tensor.ts';
import { type Frequency, stepsLater } from '../../../../model-server/protocol/time-steps.ts';

describe('steps later', () => {
  test.each<[string, Frequency, number, string | undefined]>([
    ['2026-01-01T00:00:00', 'H', 24, '2026-01-02T00:00:00'],
    ['2026-01-01T00:00:00Z', 'hour', 1, '2026-01-01T01:00:00Z'],
    ['2026-01-01T00:00:00.250+01:00', 'S', 90, '2026-01-01T00:01:30.250+01:00'],
    ['2026-01-01 00:00', 'minute', 61, '2026-01-01 01:01:00'],
    ['2026-01-31', 'M', 1, '2026-02-28'],
    ['2024-01-31', 'month', 1, '2024-02-29'],
    ['2026-11-30', 'Q', 1, '2027-02-28'],
    ['2024-02-29', 'Y', 1, '2025-02-28'],
    ['2026-01-01', 'W', 2, '2026-01-15'],
    ['2026-01-01', 'H', 12, '2026-01-01T12:00:00'],
    ['2026-02-30', 'D', 1, undefined],
    ['9999-12-31', 'D', 1, undefined],
    ['yesterday', 'D', 1, undefined],
  ])('%s %s %d', (start, frequency, steps, expected) =>
    expect(stepsLater(start, frequency, steps)).toBe(expected),
  );
});

const spec = (name: string, shape: number[]) => ({
  name,
  datatype: 'FP32' as const,
  shape,
  tensorName: `${name}:0`,
});
const signature: Signature = {
  ...{ name: 'serving_default', methodName: '' },
  inputs: [spec('h', [-1, 3])],
  outputs: [spec('m', [-1, 2]), spec('q', [-1, 2]), spec('wide', [-1, 2, 2])],
};
const signatures = new Map([['serving_default', signature]]);
const model: ForecastDeclaration = {
  ...{ input: 'h', steps: 3, output: 'm', horizon: 2, frequency: 'hour', quantiles: { '0.10': 'q' } },
};
const declared = (forecast: object | string) =>
  readDeclaration(
    typeof forecast === 'string' ? forecast : JSON.stringify({ forecast }),
    signatures,
    'serving_default',
  );

describe('a declaration', () => {
  test('is taken when the model is so', () => {
    expect(declared(model)).toEqual(model);
    expect(declared('{"other": 1}')).toBeUndefined();
  });
  test.each<[object | string, RegExp]>([
    ['{', /aicity.json is no JSON/],
    [{ ...model, steps: 0 }, /forecast.steps/],
    [{ ...model, more: 1 }, /more/],
    [{ ...model, quantiles: { '1.5': 'q' } }, /quantiles.1.5: Invalid key/],
    [{ ...model, signature: 'x' }, /no signature "x"/],
    [{ ...model, input: 'x' }, /takes "h", not "x" alone/],
    [{ ...model, steps: 4 }, /input "h" has shape \[-1,3\], \[-1,4\] expected/],
    [{ ...model, output: 'x' }, /forecast.output: signature "serving_default" has no output "x"/],
    [{ ...model, quantiles: { '0.9': 'wide' } }, /quantiles.0.9: output "wide" has shape \[-1,2,2\]/],
    [{ ...model, features: ['a', 'b'] }, /\[-1,3,2\] expected/],
  ])('%j is refused', (forecast, sentence) => expect(declared(forecast)).toMatch(sentence));
});

const series = { type: 'univariate_time_series', name: 'flow', series: [9, 1, 2, 3], frequency: 'H' };
const request = (more: object = {}, input: object = {}) => ({
  model: 'm',
  inputs: [{ ...series, ...input }],
  ...more,
});
const parse = (value: unknown) => parseForecast(Buffer.from(JSON.stringify(value)));

describe('a request', () => {
  test('gives the newest steps of each series', () => {
    const two = parse({ ...request(), inputs: [series, { ...series, series: [4, 5, 6] }] });
    expect(forecastInputs(two, model).get('h')).toEqual({
      ...{ datatype: 'FP32', shape: [2, 3], data: Float32Array.from([1, 2, 3, 4, 5, 6]) },
    });
  });
  test('may be multivariate where the model is', () => {
    const input = {
      type: 'multivariate_time_series',
      series: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    };
    const wide = { ...model, features: ['a', 'b'] };
    expect(forecastInputs(parse(request({}, input)), wide).get('h')?.shape).toEqual([1, 3, 2]);
    const ragged = {
      ...input,
      series: [
        [1, 2, 0],
        [3, 4, 0],
        [5, 6, 0],
      ],
    };
    expect(() => forecastInputs(parse(request({}, ragged)), wide)).toThrow(
      /series\[0\]: a list of 2 expected: a, b/,
    );
  });
  test.each<[object, object, RegExp]>([
    [{ options: { horizon: 3 } }, {}, /options.horizon: 3 found, the model forecasts 2 steps/],
    [{ options: { quantiles: [0.5] } }, {}, /options.quantiles: 0.5 found, the model has 0.10/],
    [{}, { frequency: 'D' }, /inputs\[0\].frequency: D found, the model was made for hour/],
    [{}, { series: [1, 2] }, /inputs\[0\].series: 2 steps found, the model needs at least 3/],
    [{}, { series: [1, 'a', 2] }, /inputs\[0\].series .*: a string found/],
    [{}, { series: [1, null, 2] }, /null found/],
    [
      {},
      { type: 'multivariate_time_series' },
      /type: multivariate_time_series found, the model takes univariate/,
    ],
    [{}, { start_timestamp: 'x' }, /start_timestamp: no ISO 8601 time found/],
    [{ inputs: [] }, {}, /inputs/],
    [{ inputs: 1 }, {}, /inputs/],
    [{ options: { horizon: 0 } }, {}, /options.horizon/],
    [{ options: { quantiles: [2] } }, {}, /options.quantiles/],
    [{}, { frequency: 'fortnight' }, /frequency/],
    [{ model: 1 }, {}, /model/],
  ])('%j %j is refused', (more, input, sentence) =>
    expect(() => forecastInputs(parse(request(more, input)), model)).toThrow(sentence),
  );
});

describe('an answer', () => {
  const tensor = (...values: number[]) =>
    ({ datatype: 'FP32', shape: [1, 2], data: Float32Array.from(values) }) as never;
  const outputs: NamedTensors = new Map([
    ['m', tensor(1.5, 2)],
    ['q', tensor(1, Number.NaN)],
  ]);
  const made = { id: 'id', createdAt: 7 };
  const answer = (value: object) => JSON.parse(encodeForecast(parse(value), model, outputs, made));

  test('has mean and quantiles, from the step after the last', () => {
    const asked = request(
      { options: { horizon: 2, quantiles: [0.1] } },
      { start_timestamp: '2026-01-01T00:00:00' },
    );
    expect(answer(asked)).toEqual({
      ...{ id: 'id', created_at: 7, status: 'completed', error: null, model: 'm' },
      outputs: [
        {
          ...{ type: 'time_series_forecast', id: 'id-0', status: 'completed', error: null },
          content: [
            {
              ...{ type: 'univariate_time_series', name: 'flow', frequency: 'H' },
              ...{
                start_timestamp: '2026-01-01T04:00:00',
                mean_forecast: [1.5, 2],
                quantiles: { '0.1': [1, null] },
              },
            },
          ],
        },
      ],
    });
  });
  test('is as short as asked, and knows no time where none was given', () => {
    const [content] = answer(request({ options: { horizon: 1 } })).outputs[0].content;
    expect(content).toMatchObject({ start_timestamp: '', mean_forecast: [1.5] });
    expect(content.quantiles).toBeUndefined();
  });
  test('is refused when the model gives something else', () => {
    const wrong: NamedTensors = new Map([['m', { ...(tensor(1, 2) as object), shape: [2, 1] } as never]]);
    expect(() => encodeForecast(parse(request()), model, wrong, made)).toThrow(
      /gave \[2,1\] for "m".*\[1,2\]/,
    );
  });
});
