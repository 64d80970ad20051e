/**
 * The thread of one TensorFlow.js model, graph or layers: loads it, runs it operation by operation on native
 * TensorFlow, and answers. A thread for each, so that loading or freeing one never holds up another.
 */
import '../native/node-compatibility.ts';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-node';
import type { Signature, Tensor } from '../protocol/tensor.ts';
import { tfjsFile } from './detect.ts';
import { EngineError } from './engine.ts';
import { type FromThread, movableBuffers, type TfjsModelFiles, type ToThread } from './tfjs-messages.ts';
import { type GraphSignature, graphSignature, layersSignature } from './tfjs-signature.ts';
import { fromTfjs, toTfjs } from './tfjs-tensor.ts';

interface Model {
  readonly signature: Signature;
  /** Outputs for the inputs, both in the signature's order. The caller owns the results. */
  run(inputs: tf.Tensor[]): tf.Tensor[] | Promise<tf.Tensor[]>;
  dispose(): void;
}

const port = parentPort as NonNullable<typeof parentPort>;
const post = (message: FromThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

try {
  const model = await load(workerData as TfjsModelFiles);
  // Runs are answered one after the other, in the order in which they came.
  let last: Promise<void> = Promise.resolve();
  port.on('message', (message: ToThread) => {
    last = last.then(() =>
      message.kind === 'Run' ? answer(model, message.call, message.inputs) : close(model),
    );
  });
  post({ kind: 'Loaded', signature: model.signature, tensorCount: tf.memory().numTensors });
} catch (error) {
  post({ kind: 'NotLoaded', sentence: sentenceOf(error) });
}

async function load({ directory, format }: TfjsModelFiles): Promise<Model> {
  const files = tf.io.fileSystem(join(directory, tfjsFile));
  switch (format) {
    case 'TFJSLayers':
      return layersModel(await tf.loadLayersModel(files));
    case 'TFJSGraph':
      return graphModel(await tf.loadGraphModel(files));
  }
}

function layersModel(model: tf.LayersModel): Model {
  // A sequential model has no list of its outputs' names.
  const outputNames = model.outputs.map(({ sourceLayer }) => sourceLayer.name);
  const signature = layersSignature(model.inputNames, model.inputs, outputNames, model.outputs);
  return {
    signature,
    // `predict` would cut the batch into pieces of 32.
    run: (inputs) => {
      const outputs = model.apply(inputs.length === 1 ? (inputs[0] as tf.Tensor) : inputs, {
        training: false,
      });
      return (Array.isArray(outputs) ? outputs : [outputs]) as tf.Tensor[];
    },
    dispose: () => void model.dispose(),
  };
}

function graphModel(model: tf.GraphModel): Model {
  const signature = graphSignature(
    model.modelSignature as GraphSignature | undefined,
    model.inputs,
    model.outputs,
  );
  const outputNames = signature.outputs.map(({ name }) => name);
  const asList = (outputs: tf.Tensor | tf.Tensor[]) => (Array.isArray(outputs) ? outputs : [outputs]);
  let needsAsync = false;
  return {
    signature,
    run: (inputs) => {
      const named = () =>
        Object.fromEntries(signature.inputs.map(({ name }, i) => [name, inputs[i] as tf.Tensor]));
      if (!needsAsync) {
        try {
          return asList(model.execute(named(), outputNames));
        } catch (error) {
          // Loops, branches and outputs of data-dependent size; the library tells by this error alone.
          if (!(error as Error).message.includes('executeAsync')) throw error;
          needsAsync = true;
        }
      }
      return model.executeAsync(named(), outputNames).then(asList);
    },
    dispose: () => model.dispose(),
  };
}

async function answer(model: Model, call: number, inputs: readonly Tensor[]): Promise<void> {
  try {
    const outputs = await run(model, inputs);
    post({ kind: 'Outputs', call, outputs, tensorCount: tf.memory().numTensors }, movableBuffers(outputs));
  } catch (error) {
    post({ kind: 'Refused', call, failure: failureOf(error), sentence: sentenceOf(error) });
  }
}

async function run(model: Model, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const engine = tf.engine();
  engine.startScope();
  let outputs: tf.Tensor[] | Promise<tf.Tensor[]>;
  let fed: tf.Tensor[] = [];
  try {
    fed = inputs.map(toTfjs);
    outputs = model.run(fed);
    if (Array.isArray(outputs)) return outputs.map(fromTfjs);
    // What comes later lives outside the scope, as the inputs have to.
    for (const tensor of fed) tf.keep(tensor);
  } finally {
    engine.endScope();
  }
  try {
    const later = await outputs;
    const read = later.map(fromTfjs);
    tf.dispose(later);
    return read;
  } finally {
    tf.dispose(fed);
  }
}

function close(model: Model): void {
  model.dispose();
  port.close();
}

/** TensorFlow's status codes that blame the input: INVALID_ARGUMENT and OUT_OF_RANGE. */
const inputFault = /^Invalid TF_Status: (3|11)\b/;

function failureOf(error: unknown): EngineError['kind'] {
  if (error instanceof EngineError) return error.kind;
  return inputFault.test((error as Error).message) ? 'InvalidArgument' : 'Internal';
}

function sentenceOf(error: unknown): string {
  const { message } = error as Error;
  return message
    .replace(/^Invalid TF_Status: \d+\s*Message: /, '')
    .replace(/\s*\[Op:\w+\] name: .*$/s, '')
    .slice(0, 500);
}
