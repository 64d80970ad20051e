/**
 * How a model declares that it forecasts: `aicity.json` beside its files. Nothing is guessed from names or shapes; a
 * model without the file is served by the other protocols alone. Pure.
 */
import * as z from 'zod';
import type { Signature } from './tensor.ts';
import { longFrequencies } from './time-steps.ts';

const declarationFile = 'aicity.json';

const name = z.string().min(1);

export const ForecastDeclaration = z.strictObject({
  /** Signature that forecasts; default: the one that answers when a request names none. */
  signature: name.optional(),
  /** Input that takes the history, `[-1, steps]`, or `[-1, steps, features]` where there are features. */
  input: name,
  /** Steps of history that the model looks at: the newest ones of a longer series. */
  steps: z.int().min(1),
  /** Names of the columns of a multivariate series, in order; absent: the model takes univariate series. */
  features: z.array(name).min(1).optional(),
  /** Output with the expected values, `[-1, horizon]`, or `[-1, horizon, features]`. */
  output: name,
  /** Steps that the model forecasts; a request may ask for fewer. */
  horizon: z.int().min(1),
  /** Of the series that the model was made for; absent: any. */
  frequency: z.enum(longFrequencies).optional(),
  /** Outputs with quantiles, of the same shape as `output`, by the quantile. */
  quantiles: z
    .record(z.string().regex(/^(0?\.\d*[1-9]\d*)$/, 'expected a number between 0 and 1'), name)
    .optional(),
});
export type ForecastDeclaration = z.infer<typeof ForecastDeclaration>;

const ModelDeclaration = z.object({ forecast: ForecastDeclaration.optional() });

/**
 * @param signatures of the model, which the declaration has to fit.
 * @returns what the file says of forecasts, undefined when it says nothing; or a sentence that says what is wrong.
 */
export function readDeclaration(
  text: string,
  signatures: ReadonlyMap<string, Signature>,
  defaultSignature: string,
): ForecastDeclaration | undefined | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return `${declarationFile} is no JSON: ${(error as Error).message}`;
  }
  const parsed = ModelDeclaration.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${declarationFile}: ${issue?.path.join('.') || 'the document'}: ${issue?.message}`;
  }
  const { forecast } = parsed.data;
  return forecast && (misfit(forecast, signatures, defaultSignature) ?? forecast);
}

function misfit(
  forecast: ForecastDeclaration,
  signatures: ReadonlyMap<string, Signature>,
  defaultSignature: string,
): string | undefined {
  const {
    signature: signatureName = defaultSignature,
    input,
    output,
    steps,
    features,
    horizon,
    quantiles = {},
  } = forecast;
  const signature = signatures.get(signatureName);
  const at = `${declarationFile}: forecast`;
  if (!signature) return `${at}.signature: the model has no signature "${signatureName}"`;
  const [only, ...others] = signature.inputs;
  if (!only || only.name !== input || others.length > 0) {
    return `${at}.input: signature "${signatureName}" takes ${signature.inputs.map((spec) => `"${spec.name}"`).join(', ')}, not "${input}" alone`;
  }
  const tail = features ? [features.length] : [];
  if (!fits(only.shape, [-1, steps, ...tail])) {
    return `${at}.steps: input "${input}" has shape [${only.shape}], [-1,${[steps, ...tail]}] expected`;
  }
  for (const [field, wanted] of [
    ['output', output],
    ...Object.entries(quantiles).map(([q, each]) => [`quantiles.${q}`, each]),
  ]) {
    const spec = signature.outputs.find((each) => each.name === wanted);
    if (!spec) return `${at}.${field}: signature "${signatureName}" has no output "${wanted}"`;
    if (!fits(spec.shape, [-1, horizon, ...tail])) {
      return `${at}.${field}: output "${wanted}" has shape [${spec.shape}], [-1,${[horizon, ...tail]}] expected`;
    }
  }
  return undefined;
}

/** -1 fits every size: what is not known beforehand is checked with every answer. */
function fits(shape: readonly number[] | null, expected: readonly number[]): boolean {
  return (
    shape === null ||
    (shape.length === expected.length &&
      shape.every((size, axis) => size === -1 || (axis > 0 && size === expected[axis])))
  );
}
