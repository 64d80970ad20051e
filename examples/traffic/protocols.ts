/** One request for many hours, in either protocol that the model server speaks. */
import type { Features } from './features.ts';

export const PROTOCOLS = ['tfs', 'oip'] as const;
/** TensorFlow Serving REST, or Open Inference Protocol v2 REST. */
export type Protocol = (typeof PROTOCOLS)[number];

interface Form {
  path(model: string): string;
  body(rows: readonly Features[]): unknown;
  /** Users per hour of each row, or undefined when the answer is something else. */
  forecasts(answer: unknown): number[] | undefined;
}

const FORMS: Record<Protocol, Form> = {
  tfs: {
    path: (model) => `/v1/models/${model}:predict`,
    body: (rows) => ({ instances: rows }),
    forecasts: (answer) => numbers((answer as { predictions?: unknown }).predictions),
  },
  oip: {
    path: (model) => `/v2/models/${model}/infer`,
    body: (rows) => ({
      inputs: (['calendar', 'weather', 'history'] as const).map((name) => tensor(name, rows)),
    }),
    forecasts: (answer) => numbers((answer as { outputs?: { data?: unknown }[] }).outputs?.[0]?.data),
  },
};

export interface Endpoint {
  /** Where the service answers, such as `http://traffic.city.svc`. */
  readonly url: string;
  readonly model: string;
  readonly protocol: Protocol;
  /** Longest time to wait for an answer. */
  readonly timeoutSeconds: number;
}

/**
 * Asks for a forecast of every row.
 *
 * @throws Error with the server's own sentence when the answer is no forecast.
 */
export async function requestForecasts(endpoint: Endpoint, rows: readonly Features[]): Promise<number[]> {
  const form = FORMS[endpoint.protocol];
  const address = `${endpoint.url.replace(/\/$/, '')}${form.path(endpoint.model)}`;
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(form.body(rows)),
    signal: AbortSignal.timeout(endpoint.timeoutSeconds * 1000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${address} answered ${response.status}: ${text.slice(0, 500)}`);
  const forecasts = form.forecasts(JSON.parse(text));
  if (forecasts?.length !== rows.length)
    throw new Error(`${address} answered something else than ${rows.length} numbers: ${text.slice(0, 200)}`);
  return forecasts;
}

/** Row-major, as the Open Inference Protocol wants it. */
function tensor(name: keyof Features, rows: readonly Features[]) {
  const data = rows.flatMap((row) => [...row[name]]);
  return { name, datatype: 'FP32', shape: [rows.length, data.length / rows.length], data };
}

/** `[[1], [2]]` and `[1, 2]` both as `[1, 2]`. */
function numbers(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const flat: unknown[] = value.flat();
  return flat.every((each) => typeof each === 'number') ? (flat as number[]) : undefined;
}
