/** Bodies of requests and answers as zod schemas, with an example of each request; `/openapi.json` is made of them. */
import * as z from 'zod';
import { ForecastRequest } from '../protocol/forecast.ts';
import { datatypes } from '../protocol/tensor.ts';
import type { OperationName } from './routes.ts';

const Value = z
  .unknown()
  .describe('A number, boolean, text or {"b64": "…"}; or lists of them, nested to any depth.');
const Parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const Tensor = z.looseObject({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  datatype: z.enum(datatypes as [string, ...string[]]),
  parameters: Parameters.optional().describe('`binary_data_size`: the tensor follows the JSON as raw bytes.'),
  data: z.array(z.unknown()).optional().describe('Row-major, flat or nested.'),
});
const TensorSpec = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.int()) });
const Duration = z.object({ count: z.int(), ns: z.int() });
const Statistic = z.looseObject({
  ...{ name: z.string(), version: z.string(), last_inference: z.int().describe('Epoch milliseconds.') },
  ...{ inference_count: z.int(), execution_count: z.int() },
  inference_stats: z.record(z.string(), Duration),
  batch_stats: z.array(z.looseObject({ batch_size: z.int(), compute_infer: Duration })),
});
const Series = z.union([z.array(z.number().nullable()), z.array(z.array(z.number().nullable()))]);

const schemas = {
  Failure: z.object({
    error: z.string().describe('A sentence: the field, what was found, what was expected.'),
  }),
  Page: z.looseObject({ models: z.array(z.looseObject({ name: z.string(), state: z.string() })) }),
  Document: z.looseObject({ openapi: z.string() }),
  Live: z.object({ live: z.boolean(), error: z.string().optional() }),
  Ready: z.object({ name: z.string().optional(), ready: z.boolean(), error: z.string().optional() }),
  Names: z.object({ models: z.array(z.string()) }),
  NameList: z.array(z.string()),
  ModelStatus: z.object({
    ...{ name: z.string(), ready: z.boolean() },
    model_version_status: z.array(
      z.object({
        version: z.string(),
        state: z.enum(['START', 'LOADING', 'AVAILABLE', 'UNLOADING', 'END']),
        status: z.object({ error_code: z.string(), error_message: z.string() }),
      }),
    ),
  }),
  SignatureMetadata: z.object({
    model_spec: z.object({ name: z.string(), signature_name: z.string(), version: z.string() }),
    metadata: z.looseObject({ signature_def: z.unknown() }),
  }),
  PredictRequest: z.object({
    signature_name: z.string().optional(),
    instances: z
      .array(Value)
      .min(1)
      .optional()
      .describe('Row format: one value, or object of named values, a row.'),
    inputs: Value.optional().describe('Column format: one tensor, or an object of named tensors.'),
  }),
  PredictResponse: z.object({
    predictions: z.array(z.unknown()).optional(),
    outputs: z.unknown().optional(),
  }),
  ExamplesRequest: z.strictObject({
    signature_name: z.string().optional(),
    context: z.record(z.string(), Value).optional().describe('Features that all examples share.'),
    examples: z.array(z.record(z.string(), Value)).min(1),
  }),
  ClassifyResponse: z.object({ results: z.array(z.array(z.tuple([z.string(), z.number()]))) }),
  RegressResponse: z.object({ results: z.array(z.number().nullable()) }),
  ForecastRequest,
  ForecastResponse: z.object({
    ...{
      id: z.string(),
      created_at: z.int(),
      status: z.literal('completed'),
      error: z.null(),
      model: z.string(),
    },
    outputs: z.array(
      z.object({
        ...{ type: z.literal('time_series_forecast'), id: z.string() },
        ...{ status: z.literal('completed'), error: z.null() },
        content: z.array(
          z.object({
            ...{ type: z.string(), name: z.string(), frequency: z.string() },
            start_timestamp: z.string().describe('Of the first step; empty when the request has none.'),
            mean_forecast: Series,
            quantiles: z.record(z.string(), Series).optional(),
          }),
        ),
      }),
    ),
  }),
  ServerMetadata: z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
  ModelMetadata: z.object({
    ...{ name: z.string(), versions: z.array(z.string()), platform: z.string() },
    ...{ inputs: z.array(TensorSpec), outputs: z.array(TensorSpec) },
  }),
  InferRequest: z.looseObject({
    id: z.string().optional(),
    parameters: Parameters.optional().describe(
      '`timeout` in microseconds; `binary_data_output` for raw answers.',
    ),
    inputs: z.array(Tensor).min(1),
    outputs: z.array(z.looseObject({ name: z.string(), parameters: Parameters.optional() })).optional(),
  }),
  InferResponse: z.object({
    ...{ model_name: z.string(), model_version: z.string(), id: z.string().optional() },
    outputs: z.array(Tensor),
  }),
  Statistics: z.object({ model_stats: z.array(Statistic) }),
  IndexRequest: z.looseObject({ ready: z.boolean().optional() }),
  Index: z.array(
    z.object({ name: z.string(), version: z.string().optional(), state: z.string(), reason: z.string() }),
  ),
  LoadRequest: z.looseObject({}),
  Loaded: z.object({ name: z.string(), load: z.literal(true) }),
  Unloaded: z.object({ name: z.string(), unload: z.literal(true) }),
} as const;

export type SchemaName = keyof typeof schemas;
export const SCHEMAS: Readonly<Record<SchemaName, z.ZodType>> = schemas;

export interface Exchange {
  readonly request?: SchemaName;
  /** Requests that the model of the documentation accepts, by what they show. */
  readonly examples?: Readonly<Record<string, object>>;
  /** Absent: text. */
  readonly answer?: SchemaName;
}

const x = { name: 'x', shape: [3], datatype: 'FP32' };
const hours = Array.from({ length: 24 }, (_, hour) => 100 + 5 * hour);
const flow = { type: 'univariate_time_series', name: 'flow', series: hours, frequency: 'H' };

/** What every request and its answer hold. */
export const EXCHANGES: Readonly<Record<OperationName, Exchange>> = {
  Home: { answer: 'Page' },
  OpenApi: { answer: 'Document' },
  Live: { answer: 'Live' },
  Ready: { answer: 'Ready' },
  Metrics: {},
  V1Models: { answer: 'Names' },
  V1Status: { answer: 'ModelStatus' },
  V1Metadata: { answer: 'SignatureMetadata' },
  V1Predict: {
    request: 'PredictRequest',
    examples: {
      rows: { instances: [1, 2, 5] },
      columns: { inputs: { x: [1, 2, 5] } },
      signature: { signature_name: 'serving_default', instances: [{ x: 1 }, { x: 2 }] },
    },
    answer: 'PredictResponse',
  },
  V1Classify: {
    request: 'ExamplesRequest',
    examples: { one: { signature_name: 'classify_x_to_y', examples: [{ x: 1.5 }] } },
    answer: 'ClassifyResponse',
  },
  V1Regress: {
    request: 'ExamplesRequest',
    examples: {
      two: { signature_name: 'tensorflow/serving/regress', examples: [{ x: 1.5 }, { x: 2.5 }] },
      context: { signature_name: 'regress_x2_to_y3', context: { x: 0.5 }, examples: [{ x2: 2.5 }] },
    },
    answer: 'RegressResponse',
  },
  ForecastModels: { answer: 'NameList' },
  Forecast: {
    request: 'ForecastRequest',
    examples: {
      half_a_day: {
        model: 'seasonal',
        inputs: [{ ...flow, start_timestamp: '2026-01-01T00:00:00Z' }],
        options: { horizon: 12, quantiles: [0.1, 0.9] },
      },
      as_far_as_it_goes: { model: 'seasonal', inputs: [flow] },
    },
    answer: 'ForecastResponse',
  },
  V2Server: { answer: 'ServerMetadata' },
  V2Models: { answer: 'Names' },
  V2AllStats: { answer: 'Statistics' },
  V2Metadata: { answer: 'ModelMetadata' },
  V2Ready: { answer: 'Ready' },
  V2Stats: { answer: 'Statistics' },
  V2Infer: {
    request: 'InferRequest',
    examples: {
      json: { id: '42', inputs: [{ ...x, data: [1, 2, 5] }] },
      one_output: {
        inputs: [{ ...x, data: [1, 2, 5] }],
        outputs: [{ name: 'y' }],
        parameters: { timeout: 5e6 },
      },
    },
    answer: 'InferResponse',
  },
  RepositoryIndex: { request: 'IndexRequest', examples: { ready: { ready: true } }, answer: 'Index' },
  RepositoryLoad: { request: 'LoadRequest', examples: { plain: {} }, answer: 'Loaded' },
  RepositoryUnload: { request: 'LoadRequest', examples: { plain: {} }, answer: 'Unloaded' },
};
