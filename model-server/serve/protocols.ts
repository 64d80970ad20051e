/** The two protocols over the model that is hosted: reads requests, writes answers, says what is served. */
import type { IncomingMessage } from 'node:http';
import { checkInputs } from '../engine/check.ts';
import {
  modelMetadata,
  modelStatus,
  platforms,
  serverMetadata,
  signatureMetadata,
  type VersionState,
} from '../protocol/documents.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { decodeInfer, encodeInfer, jsonLengthHeader } from '../protocol/infer.ts';
import { decodePredict, encodePredict } from '../protocol/predict.ts';
import { type Answer, JSON_TYPE, jsonAnswer } from './answer.ts';
import { homePage } from './home.ts';
import type { OtherRoute, Protocols } from './http-server.ts';
import type { Call } from './inference.ts';
import type { ModelCatalog } from './model-catalog.ts';
import type { HostedModel, ModelEntry, ModelState } from './model-host.ts';
import { versionOf } from './named-model.ts';
import { wishesOf } from './request-headers.ts';
import { defaultOf, signatureOf } from './signatures.ts';

export interface ProtocolsOptions {
  models: Pick<ModelCatalog, 'names' | 'find' | 'entries' | 'isReady' | 'isDraining' | 'whyNotReady'>;
  /** Of this server, for its metadata. */
  serverVersion: string;
  /** Why the process should be restarted, if it should. */
  illness(): string | undefined;
  metrics(): Promise<{ contentType: string; text: string }>;
}

export function protocolsOf(options: ProtocolsOptions): Protocols {
  return {
    modelFor: (route) => options.models.find(route.model, route),
    callOf: (route, model, request, body) =>
      route.action === 'V1Predict' ? predictCall(model, request, body) : inferCall(model, request, body),
    answerOf: (route, request) => answerOf(options, route, request),
  };
}

function predictCall(model: HostedModel, { headers }: IncomingMessage, body: Buffer): Call<Answer> {
  const request = decodePredict(body, defaultOf(model).name, (name) => signatureOf(model, name));
  return {
    signature: request.signature,
    inputs: checkInputs(signatureOf(model, request.signature), request.inputs),
    ...wishesOf(headers),
    answer: (outputs) => ({ status: 200, contentType: JSON_TYPE, body: encodePredict(request, outputs) }),
  };
}

function inferCall(model: HostedModel, { headers }: IncomingMessage, body: Buffer): Call<Answer> {
  const signature = defaultOf(model);
  const request = decodeInfer(body, headers[jsonLengthHeader] as string | undefined, signature);
  return {
    signature: signature.name,
    inputs: checkInputs(signature, request.inputs),
    ...wishesOf(headers, request),
    answer: (outputs) => {
      const { json, raw, jsonLength } = encodeInfer(
        { name: model.name, version: versionOf(model) },
        request,
        outputs,
      );
      if (jsonLength === undefined) return { status: 200, contentType: JSON_TYPE, body: json };
      return {
        status: 200,
        contentType: 'application/octet-stream',
        body: Buffer.concat([Buffer.from(json), ...raw]),
        headers: { [jsonLengthHeader]: String(jsonLength) },
      };
    },
  };
}

function answerOf(
  options: ProtocolsOptions,
  route: OtherRoute,
  request: IncomingMessage,
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
      return models.isReady
        ? jsonAnswer(200, { ready: true })
        : jsonAnswer(503, { ready: false, error: models.whyNotReady() });
    case 'Metrics':
      return options.metrics().then(({ contentType, text }) => ({ status: 200, contentType, body: text }));
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

function modelAnswer({ models }: ProtocolsOptions, route: Extract<OtherRoute, { kind: 'Model' }>): Answer {
  switch (route.action) {
    case 'V1Status':
      return jsonAnswer(200, modelStatus(route.model, statesOf(models.entries(route.model), route)));
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
        modelMetadata({ name, version: versionOf(model), platform: platforms[format] }, defaultOf(model)),
      );
    }
    case 'V2Ready':
      return modelReadiness(models, route);
    case 'V1Predict':
    case 'V2Infer':
      throw new ProtocolError('Internal', '', 'an inference route was not recognised as one');
  }
}

const STATES: Readonly<Record<ModelState, VersionState>> = {
  READY: 'AVAILABLE',
  LOADING: 'LOADING',
  UNLOADING: 'UNLOADING',
  UNAVAILABLE: 'END',
};

/** As TensorFlow Serving: 200 with the state in the body. A version that is not known yet is 0. */
function statesOf(entries: readonly ModelEntry[], { model, version }: { model: string; version?: string }) {
  const wanted = version === undefined ? entries : entries.filter((entry) => entry.version === version);
  if (wanted.length === 0) {
    throw new ProtocolError(
      'NotFound',
      '',
      `Servable not found for request: Specific(${model}, ${version}); there are ${entries.map((entry) => entry.version ?? 0).join(', ')}`,
    );
  }
  return wanted.map((entry) => ({
    version: entry.version ?? '0',
    state: STATES[entry.state],
    ...(entry.reason === '' ? {} : { error: entry.reason }),
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
