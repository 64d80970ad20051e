/**
 * KServe's forecast API (https://kserve.github.io/website/docs/reference/time_series): series in, expected values and
 * quantiles out, for models that declare in `forecast-model.ts` what they take. Pure.
 */
import * as z from 'zod';
import { invalid, ProtocolError } from './errors.ts';
import type { ForecastDeclaration } from './forecast-model.ts';
import { parseJsonObject } from './json.ts';
import { tensorFromNested } from './read-tensor.ts';
import { formatShape, type NamedTensors, type Tensor } from './tensor.ts';
import { type Frequency, frequencies, longFrequency, stepsLater } from './time-steps.ts';
import { nestedLists } from './write-tensor.ts';

const Input = z.looseObject({
  type: z.enum(['univariate_time_series', 'multivariate_time_series']),
  name: z.string(),
  /** Numbers; lists of numbers, one for each feature, when multivariate. */
  series: z.array(z.unknown()).min(1),
  frequency: z.enum(frequencies),
  /** ISO 8601 time of the first value. */
  start_timestamp: z.string().nullish(),
});

export const ForecastRequest = z.looseObject({
  model: z.string(),
  inputs: z.array(Input).min(1),
  options: z
    .looseObject({
      horizon: z.int().min(1).optional(),
      quantiles: z.array(z.number().gt(0).lt(1)).nullish(),
    })
    .optional(),
  metadata: z.looseObject({}).nullish(),
});
export type ForecastRequest = z.infer<typeof ForecastRequest>;

/** @throws ProtocolError InvalidArgument */
export function parseForecast(body: Uint8Array): ForecastRequest {
  const parsed = ForecastRequest.safeParse(parseJsonObject(body));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`));
  throw invalid(path.join('').replace(/^\./, ''), (issue?.message ?? '').replace(/^Invalid \w+: /, ''));
}

/**
 * The newest steps of every series, as rows of the one input.
 * @throws ProtocolError InvalidArgument when the model cannot forecast what is asked.
 */
export function forecastInputs(request: ForecastRequest, model: ForecastDeclaration): NamedTensors {
  const { horizon, quantiles } = request.options ?? {};
  if (horizon !== undefined && horizon > model.horizon) {
    throw invalid('options.horizon', `${horizon} found, the model forecasts ${model.horizon} steps`);
  }
  for (const quantile of quantiles ?? []) {
    if (outputOf(quantile, model) === undefined) {
      const known = Object.keys(model.quantiles ?? {}).join(', ') || 'none';
      throw invalid('options.quantiles', `${quantile} found, the model has ${known}`);
    }
  }
  const rows = request.inputs.map((input, index) => rowOf(input, model, `inputs[${index}]`));
  return new Map([[model.input, tensorFromNested('FP32', rows, 'inputs')]]);
}

function rowOf(
  input: ForecastRequest['inputs'][number],
  model: ForecastDeclaration,
  field: string,
): unknown[] {
  const expected = model.features ? 'multivariate_time_series' : 'univariate_time_series';
  if (input.type !== expected) {
    const features = model.features ? ` of ${model.features.join(', ')}` : '';
    throw invalid(`${field}.type`, `${input.type} found, the model takes ${expected}${features}`);
  }
  if (model.frequency !== undefined && longFrequency(input.frequency) !== model.frequency) {
    throw invalid(
      `${field}.frequency`,
      `${input.frequency} found, the model was made for ${model.frequency}`,
    );
  }
  const { series } = input;
  if (series.length < model.steps) {
    throw invalid(`${field}.series`, `${series.length} steps found, the model needs at least ${model.steps}`);
  }
  const { start_timestamp: start } = input;
  if (start && stepsLater(start, input.frequency, series.length) === undefined) {
    throw invalid(
      `${field}.start_timestamp`,
      'no ISO 8601 time found, such as 2026-01-31T12:00:00Z expected',
    );
  }
  const newest = series.slice(-model.steps);
  const width = model.features?.length;
  // The path of a wrong value is that in the request, not that in the shortened row.
  tensorFromNested('FP32', newest, `${field}.series (its last ${model.steps} steps) `);
  const ragged =
    width === undefined ? -1 : newest.findIndex((step) => !Array.isArray(step) || step.length !== width);
  if (ragged >= 0) {
    throw invalid(
      `${field}.series[${series.length - model.steps + ragged}]`,
      `a list of ${width} expected: ${model.features?.join(', ')}`,
    );
  }
  return newest;
}

/** Quantiles are compared as numbers: 0.10 is 0.1. */
function outputOf(quantile: number, { quantiles = {} }: ForecastDeclaration): string | undefined {
  return Object.entries(quantiles).find(([each]) => Number(each) === quantile)?.[1];
}

/** @param made what is not in the request: an id, and the time in seconds since 1970. */
export function encodeForecast(
  request: ForecastRequest,
  model: ForecastDeclaration,
  outputs: NamedTensors,
  made: { id: string; createdAt: number },
): string {
  const horizon = request.options?.horizon ?? model.horizon;
  const mean = forecastOf(outputs, model.output, request, model);
  const quantiles = (request.options?.quantiles ?? []).map(
    (quantile) =>
      [quantile, forecastOf(outputs, outputOf(quantile, model) as string, request, model)] as const,
  );
  const content = request.inputs.map((input, row) => {
    const { type, name, frequency, series } = input;
    const head = JSON.stringify({ type, name, frequency, start_timestamp: firstStep(input, series.length) });
    const bands = quantiles.map(
      ([quantile, tensor]) => `"${quantile}":${rowOfForecast(tensor, row, horizon)}`,
    );
    const written = bands.length > 0 ? `,"quantiles":{${bands.join(',')}}` : '';
    return `${head.slice(0, -1)},"mean_forecast":${rowOfForecast(mean, row, horizon)}${written}}`;
  });
  const output = { type: 'time_series_forecast', id: `${made.id}-0`, status: 'completed', error: null };
  const answer = { id: made.id, created_at: made.createdAt, status: 'completed', error: null };
  return (
    `${JSON.stringify({ ...answer, model: request.model }).slice(0, -1)},"outputs":[` +
    `${JSON.stringify(output).slice(0, -1)},"content":[${content.join(',')}]}]}`
  );
}

/** Of a series that does not say when it begins nobody can say when it goes on; the field is a text all the same. */
function firstStep(
  {
    start_timestamp: start,
    frequency,
  }: { start_timestamp?: string | null | undefined; frequency: Frequency },
  steps: number,
): string {
  return start ? (stepsLater(start, frequency, steps) ?? '') : '';
}

function forecastOf(
  outputs: NamedTensors,
  name: string,
  { inputs }: ForecastRequest,
  { horizon, features }: ForecastDeclaration,
): Tensor {
  const tensor = outputs.get(name);
  const expected = [inputs.length, horizon, ...(features ? [features.length] : [])];
  if (tensor && formatShape(tensor.shape) === formatShape(expected)) return tensor;
  throw new ProtocolError(
    'Internal',
    '',
    `the model gave ${tensor ? formatShape(tensor.shape) : 'nothing'} for "${name}", where its aicity.json says ${formatShape(expected)}`,
  );
}

/** The first `horizon` steps of one row. */
function rowOfForecast(tensor: Tensor, row: number, horizon: number): string {
  const [, steps = 0, ...inner] = tensor.shape;
  const perStep = inner.reduce((product, size) => product * size, 1);
  const start = row * steps * perStep;
  const data = (tensor.data as Float32Array).subarray(start, start + horizon * perStep);
  const part = { datatype: tensor.datatype, shape: [horizon, ...inner], data } as Tensor;
  return nestedLists(part, () => 'null');
}
