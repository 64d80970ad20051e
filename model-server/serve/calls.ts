/** Bodies of inference requests as calls of a model's signature: one reader for each of the REST APIs. */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { checkInputs } from '../engine/check.ts';
import {
  type ExampleMethod,
  encodeClassification,
  encodeRegression,
  exampleInputs,
} from '../protocol/classify.ts';
import { invalid } from '../protocol/errors.ts';
import { decodeExamples } from '../protocol/example.ts';
import { encodeForecast, forecastInputs, parseForecast } from '../protocol/forecast.ts';
import { decodeInfer, encodeInfer, jsonLengthHeader } from '../protocol/infer.ts';
import type { JsonBody } from '../protocol/json.ts';
import { decodePredict, encodePredict } from '../protocol/predict.ts';
import { type Answer, JSON_TYPE } from './answer.ts';
import type { HostedModel } from './hosted-model.ts';
import type { Call } from './inference.ts';
import { versionOf } from './named-model.ts';
import { wishesOf } from './request-headers.ts';
import { defaultOf, signatureOf } from './signatures.ts';

const json = (body: string): Answer => ({ status: 200, contentType: JSON_TYPE, body });

/** TensorFlow Serving's `:predict`. */
export function predictCall(model: HostedModel, headers: IncomingHttpHeaders, body: JsonBody): Call<Answer> {
  const request = decodePredict(body, defaultOf(model).name, (name) => signatureOf(model, name));
  return {
    signature: request.signature,
    inputs: checkInputs(signatureOf(model, request.signature), request.inputs),
    ...wishesOf(headers),
    answer: (outputs) => json(encodePredict(request, outputs)),
  };
}

/** TensorFlow Serving's `:classify` and `:regress`. */
export function exampleCall(
  method: ExampleMethod,
  model: HostedModel,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Call<Answer> {
  const { signature: name, examples } = decodeExamples(body);
  const signature = name === undefined ? defaultOf(model) : signatureOf(model, name);
  const inputs = exampleInputs(method, signature, examples, model.loaded.signatures.values());
  const encode = method === 'classify' ? encodeClassification : encodeRegression;
  return {
    signature: signature.name,
    inputs: checkInputs(signature, inputs),
    ...wishesOf(headers),
    answer: (outputs) => json(encode(outputs, examples.length)),
  };
}

/** The Open Inference Protocol's `infer`. */
export function inferCall(model: HostedModel, headers: IncomingHttpHeaders, body: JsonBody): Call<Answer> {
  const signature = defaultOf(model);
  const request = decodeInfer(body, headers[jsonLengthHeader] as string | undefined, signature);
  return {
    signature: signature.name,
    inputs: checkInputs(signature, request.inputs),
    ...wishesOf(headers, request),
    answer: (outputs) => {
      const written = encodeInfer({ name: model.name, version: versionOf(model) }, request, outputs);
      if (written.jsonLength === undefined) return json(written.json);
      return {
        status: 200,
        contentType: 'application/octet-stream',
        body: Buffer.concat([Buffer.from(written.json), ...written.raw]),
        headers: { [jsonLengthHeader]: String(written.jsonLength) },
      };
    },
  };
}

/** KServe's forecast. @param now epoch milliseconds. */
export function forecastCall(
  model: HostedModel,
  headers: IncomingHttpHeaders,
  body: Buffer,
  now: number,
): Call<Answer> {
  const { forecast } = model;
  if (typeof forecast !== 'object') {
    const why = forecast === undefined ? 'it has no aicity.json with "forecast"' : forecast;
    throw invalid('model', `${model.name} does not forecast: ${why}`);
  }
  const request = parseForecast(body);
  const signature =
    forecast.signature === undefined ? defaultOf(model) : signatureOf(model, forecast.signature);
  return {
    signature: signature.name,
    inputs: checkInputs(signature, forecastInputs(request, forecast)),
    ...wishesOf(headers),
    answer: (outputs) =>
      json(
        encodeForecast(request, forecast, outputs, { id: randomUUID(), createdAt: Math.floor(now / 1000) }),
      ),
  };
}
