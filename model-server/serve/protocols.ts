/** The two protocols over the model that is hosted: reads requests, writes answers, says what is served. */
import type { IncomingMessage } from 'node:http';
import { checkInputs } from '../engine/check.ts';
import { defaultSignature } from '../engine/engine.ts';
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
import type { Signature } from '../protocol/tensor.ts';
import { type Answer, JSON_TYPE, jsonAnswer } from './answer.ts';
import { homePage } from './home.ts';
import type { Call, OtherRoute, Protocols } from './http-server.ts';
import type { HostedModel, ModelHost } from './model-host.ts';

export interface ProtocolsOptions {
  /** The one name that is served. */
  name: string;
  /** Of this server, for its metadata. */
  serverVersion: string;
  host: Pick<ModelHost, 'current' | 'isReady' | 'whyNotServing'>;
  /** Why the process should be restarted, if it should. */
  illness(): string | undefined;
  metrics(): Promise<{ contentType: string; text: string }>;
}

export function protocolsOf(options: ProtocolsOptions): Protocols {
  return {
    modelFor: (route) => modelFor(options, route),
    callOf: (route, model, request, body) =>
      route.action === 'V1Predict' ? predictCall(model, body) : inferCall(options.name, model, request, body),
    answerOf: (route, request) => answerOf(options, route, request),
  };
}

/** A model at an address without version directories is version 1: both protocols want a number. */
export function versionOf(model: Pick<HostedModel, 'version'>): string {
  return String(model.version ?? 1);
}

/** @throws ProtocolError NotFound for another name or version, Unavailable while nothing is served. */
function modelFor({ name, host }: ProtocolsOptions, route: { model: string; version?: string }): HostedModel {
  if (route.model !== name) {
    throw new ProtocolError(
      'NotFound',
      '',
      `Servable not found for request: Latest(${route.model}); this server serves "${name}"`,
    );
  }
  const model = host.current;
  if (!model) {
    throw new ProtocolError(
      'Unavailable',
      '',
      `Model with name ${name} is not ready: ${host.whyNotServing()}`,
    );
  }
  if (route.version !== undefined && route.version !== versionOf(model)) {
    throw new ProtocolError(
      'NotFound',
      '',
      `Servable not found for request: Specific(${name}, ${route.version}); version ${versionOf(model)} is served`,
    );
  }
  return model;
}

function predictCall(model: HostedModel, body: Buffer): Call {
  const { signatures } = model.loaded;
  const request = decodePredict(body, defaultOf(model).name, (name) => signatureOf(signatures, name));
  return {
    signature: request.signature,
    inputs: checkInputs(signatureOf(signatures, request.signature), request.inputs),
    answer: (outputs) => ({ status: 200, contentType: JSON_TYPE, body: encodePredict(request, outputs) }),
  };
}

function inferCall(name: string, model: HostedModel, { headers }: IncomingMessage, body: Buffer): Call {
  const signature = defaultOf(model);
  const request = decodeInfer(body, headers[jsonLengthHeader] as string | undefined, signature);
  return {
    signature: signature.name,
    inputs: checkInputs(signature, request.inputs),
    answer: (outputs) => {
      const { json, raw, jsonLength } = encodeInfer({ name, version: versionOf(model) }, request, outputs);
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

function signatureOf(signatures: HostedModel['loaded']['signatures'], name: string): Signature {
  const signature = signatures.get(name);
  if (signature) return signature;
  const known = [...signatures.keys()].map((each) => `"${each}"`).join(', ');
  throw new ProtocolError(
    'InvalidArgument',
    'signature_name',
    `"${name.slice(0, 100)}" found, expected one of ${known}`,
  );
}

/** What a request means that names no signature. */
function defaultOf({ loaded: { signatures } }: HostedModel): Signature {
  return signatures.get(defaultSignature) ?? (signatures.values().next().value as Signature);
}

function answerOf(
  options: ProtocolsOptions,
  route: OtherRoute,
  request: IncomingMessage,
): Answer | Promise<Answer> {
  const { name, host } = options;
  switch (route.kind) {
    case 'Home':
      // Read by people: one line per fact.
      return {
        status: 200,
        contentType: JSON_TYPE,
        body: `${JSON.stringify(homePage(name, host, request.headers.host), null, 2)}\n`,
      };
    case 'Live': {
      const illness = options.illness();
      return jsonAnswer(illness === undefined ? 200 : 503, {
        live: illness === undefined,
        ...(illness && { error: illness }),
      });
    }
    case 'Ready':
      return readiness(host, {});
    case 'Metrics':
      return options.metrics().then(({ contentType, text }) => ({ status: 200, contentType, body: text }));
    case 'V1Models':
    case 'V2Models':
      return jsonAnswer(200, { models: [name] });
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

function modelAnswer(options: ProtocolsOptions, route: Extract<OtherRoute, { kind: 'Model' }>): Answer {
  const { name, host } = options;
  if (route.action === 'V1Status' && route.model === name && !host.current) return loadingStatus(name, host);
  const model = modelFor(options, route);
  const version = versionOf(model);
  switch (route.action) {
    case 'V1Status':
      return jsonAnswer(
        200,
        modelStatus(name, [{ version, state: host.isReady ? 'AVAILABLE' : 'UNLOADING' }]),
      );
    case 'V1Metadata':
      return jsonAnswer(200, signatureMetadata(name, version, model.loaded.signatures.values()));
    case 'V2Metadata':
      return jsonAnswer(
        200,
        modelMetadata({ name, version, platform: platforms[model.format] }, defaultOf(model)),
      );
    case 'V2Ready':
      return readiness(host, { name });
    case 'V1Predict':
    case 'V2Infer':
      throw new ProtocolError('Internal', '', 'an inference route was not recognised as one');
  }
}

/** As TensorFlow Serving: 200 with the state in the body, while the version is not known yet. */
function loadingStatus(name: string, host: ProtocolsOptions['host']): Answer {
  const state: VersionState = 'LOADING';
  return jsonAnswer(200, modelStatus(name, [{ version: '0', state, error: host.whyNotServing() }]));
}

function readiness(host: ProtocolsOptions['host'], more: object): Answer {
  if (host.isReady) return jsonAnswer(200, { ...more, ready: true });
  const error = host.current ? 'the server is draining' : host.whyNotServing();
  return jsonAnswer(503, { ...more, ready: false, error });
}
