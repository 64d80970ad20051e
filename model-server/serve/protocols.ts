/** The two protocols over the model that is hosted: reads requests, writes answers, says what is served. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../clock.ts';
import {
  modelMetadata,
  modelStatus,
  platforms,
  serverMetadata,
  signatureMetadata,
  type VersionState,
} from '../protocol/documents.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { parseForecast } from '../protocol/forecast.ts';
import { jsonLengthHeader } from '../protocol/infer.ts';
import { type JsonBody, parseJsonObject } from '../protocol/json.ts';
import { precisionFor } from '../protocol/number-list.ts';
import { statisticsDocument } from '../protocol/statistics.ts';
import { type Answer, JSON_TYPE, jsonAnswer } from './answer.ts';
import { exampleCall, forecastCall, inferCall, predictCall } from './calls.ts';
import { homePage } from './home.ts';
import type { ModelEntry, ModelState } from './host-words.ts';
import type { HostedModel } from './hosted-model.ts';
import type { InferenceRoute, OtherRoute, Protocols } from './http-server.ts';
import type { Call } from './inference.ts';
import type { JsonThreads } from './json-threads.ts';
import { type ModelCatalog, versionsMeant } from './model-catalog.ts';
import { versionOf } from './named-model.ts';
import { openApiDocument } from './openapi.ts';
import { readinessAnswer } from './readiness.ts';
import { defaultOf } from './signatures.ts';
import { type Statistics, statisticsOf } from './statistics.ts';

export interface ProtocolsOptions {
  models: Pick<
    ModelCatalog,
    'names' | 'find' | 'entries' | 'isReady' | 'isDraining' | 'started' | 'whyNotReady' | 'load' | 'unload'
  >;
  statistics: Statistics;
  clock: Pick<Clock, 'epochMilliseconds' | 'after'>;
  jsonThreads: JsonThreads;
  /** Of this server, for its metadata. */
  serverVersion: string;
  /** Why the process should be restarted, if it should. */
  illness(): string | undefined;
  metrics(): Promise<{ contentType: string; text: string }>;
}

export function protocolsOf(options: ProtocolsOptions): Protocols {
  return {
    modelFor: (route) => (route.kind === 'Forecast' ? undefined : options.models.find(route.model, route)),
    modelIn: (_, body) => options.models.find(parseForecast(body).model),
    callOf: (route, model, request, body) => callOf(options, route, model, request, body),
    answerOf: (route, request, body) => answerOf(options, route, request, body),
  };
}

function callOf(
  { clock, jsonThreads }: ProtocolsOptions,
  route: InferenceRoute,
  model: HostedModel,
  { headers }: IncomingMessage,
  body: Buffer,
): Call<Answer> | Promise<Call<Answer>> {
  if (route.kind === 'Forecast') return forecastCall(model, headers, body, clock.epochMilliseconds());
  const readJson = (use: (json: JsonBody) => Call<Answer>) =>
    jsonThreads.read(body, precisionFor(defaultOf(model).inputs), use);
  switch (route.action) {
    case 'V1Predict':
      return readJson((json) => predictCall(model, headers, json));
    case 'V1Classify':
      return exampleCall('classify', model, headers, body);
    case 'V1Regress':
      return exampleCall('regress', model, headers, body);
    case 'V2Infer':
      if (headers[jsonLengthHeader] !== undefined) return inferCall(model, headers, body);
      return readJson((json) => inferCall(model, headers, json));
  }
}

function answerOf(
  options: ProtocolsOptions,
  route: OtherRoute,
  request: IncomingMessage,
  body: Buffer | undefined,
): Answer | Promise<Answer> {
  const { models } = options;
  switch (route.kind) {
    case 'Home':
      // Read by people: one line per fact.
      return {
        status: 200,
        contentType: JSON_TYPE,
        body: `${JSON.stringify(homePage(models, request.headers.host), null, 2)}\n`,
      };
    case 'Live': {
      const illness = options.illness();
      return jsonAnswer(illness === undefined ? 200 : 503, {
        live: illness === undefined,
        ...(illness && { error: illness }),
      });
    }
    case 'Ready':
      return readinessAnswer(models, request.url ?? '', options.clock);
    case 'Metrics':
      return options.metrics().then(({ contentType, text }) => ({ status: 200, contentType, body: text }));
    case 'OpenApi':
      return jsonAnswer(200, openApiDocument(options.serverVersion));
    case 'ForecastModels':
      return jsonAnswer(200, forecasting(models));
    case 'V2AllStats':
      return jsonAnswer(200, statisticsDocument(statisticsOf(models, options.statistics)));
    case 'RepositoryIndex':
      return jsonAnswer(200, repositoryIndex(models.entries(), body));
    case 'V1Models':
    case 'V2Models':
      return jsonAnswer(200, { models: models.names });
    case 'V2Server':
      return jsonAnswer(200, serverMetadata(options.serverVersion));
    case 'Model':
      return modelAnswer(options, route);
    case 'MethodNotAllowed':
      return jsonAnswer(405, { error: `${route.path} takes ${route.allow}` }, { allow: route.allow });
    case 'Unknown':
      return jsonAnswer(404, {
        error: `Malformed request: there is no ${route.path.slice(0, 200)}; GET / shows what there is`,
      });
  }
}

function modelAnswer(
  { models, statistics }: ProtocolsOptions,
  route: Extract<OtherRoute, { kind: 'Model' }>,
): Answer | Promise<Answer> {
  switch (route.action) {
    case 'V1Status':
      return jsonAnswer(200, modelStatus(route.model, statesOf(models, route)));
    case 'V1Metadata': {
      const model = models.find(route.model, route);
      return jsonAnswer(
        200,
        signatureMetadata(model.name, versionOf(model), model.loaded.signatures.values()),
      );
    }
    case 'V2Metadata': {
      const model = models.find(route.model, route);
      const { name, format } = model;
      return jsonAnswer(
        200,
        modelMetadata(
          { name, versions: versionsMeant(models, name, route.version), platform: platforms[format] },
          defaultOf(model),
        ),
      );
    }
    case 'V2Ready':
      return modelReadiness(models, route);
    case 'V2Stats':
      return jsonAnswer(200, statisticsDocument(statisticsOf(models, statistics, route.model, route)));
    case 'RepositoryLoad':
      return models.load(route.model).then(() => jsonAnswer(200, { name: route.model, load: true }));
    case 'RepositoryUnload':
      return models.unload(route.model).then(() => jsonAnswer(200, { name: route.model, unload: true }));
  }
}

const STATES: Readonly<Record<ModelState, VersionState>> = {
  READY: 'AVAILABLE',
  LOADING: 'LOADING',
  UNLOADING: 'UNLOADING',
  UNAVAILABLE: 'END',
};

/** As TensorFlow Serving: 200 with the state in the body. A version that is not known yet is 0. */
function statesOf(
  models: ProtocolsOptions['models'],
  { model, version, label }: { model: string; version?: string; label?: string },
) {
  const entries = models.entries(model);
  const meant = label === undefined ? version : versionOf(models.find(model, { label }));
  const wanted = meant === undefined ? entries : entries.filter((entry) => entry.version === meant);
  if (wanted.length === 0) {
    throw new ProtocolError(
      'NotFound',
      '',
      `Servable not found for request: Specific(${model}, ${meant}); there are ${entries.map((entry) => entry.version ?? 0).join(', ')}`,
    );
  }
  return wanted.map((entry) => ({
    version: entry.version ?? '0',
    state: STATES[entry.state],
    ...(entry.reason === '' ? {} : { error: entry.reason }),
  }));
}

/** Names of the models that can forecast now. */
function forecasting(models: ProtocolsOptions['models']): string[] {
  const isForecasting = (name: string) => {
    const { version } = models.entries(name).findLast(({ state }) => state === 'READY') ?? {};
    return version !== undefined && typeof models.find(name, { version }).forecast === 'object';
  };
  return models.names.filter(isForecasting);
}

/** Triton's index. @param body `{"ready": true}` leaves out what is not ready; may be empty. */
function repositoryIndex(entries: readonly ModelEntry[], body: Buffer | undefined): object[] {
  const { ready } = body && body.length > 0 ? parseJsonObject(body) : {};
  return entries
    .filter(({ state }) => ready !== true || state === 'READY')
    .map(({ name, version, state, reason }) => ({
      ...{ name, ...(version === undefined ? {} : { version }), state, reason },
    }));
}

function modelReadiness(
  models: ProtocolsOptions['models'],
  route: { model: string; version?: string },
): Answer {
  const name = route.model;
  try {
    models.find(name, route);
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.kind !== 'Unavailable') throw error;
    return jsonAnswer(503, { name, ready: false, error: error.message });
  }
  return models.isDraining
    ? jsonAnswer(503, { name, ready: false, error: models.whyNotReady() })
    : jsonAnswer(200, { name, ready: true });
}
