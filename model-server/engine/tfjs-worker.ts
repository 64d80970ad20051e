/** The thread that hosts TensorFlow.js. It takes one command at a time and answers each. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';
import type { GraphModel, LayersModel, NamedTensorMap, Tensor as TfjsTensor } from '@tensorflow/tfjs-node';
import type { Signature, Tensor, TensorSpec } from '../protocol/tensor.ts';
import { tfjsDtype } from './data-types.ts';
import { EngineError } from './engine.ts';
import { tensorflow as tf } from './tensorflow.ts';
import { type Command, type Reply, type TensorEntries, transferables } from './tfjs-messages.ts';
import { signatureOfGraphModel, signatureOfLayersModel } from './tfjs-signature.ts';

interface Loaded {
  readonly signature: Signature;
  /** Takes tensors by input name, gives them in the order of the signature's outputs; owns neither. */
  readonly predict: (inputs: NamedTensorMap) => Promise<TfjsTensor[]>;
  readonly dispose: () => void;
}

const models = new Map<string, Loaded>();
const port = parentPort!;

port.on('message', (command: Command) => {
  handle(command).then(
    (reply) => {
      const message = { ...reply, tensorCount: tf.memory().numTensors } as Reply;
      port.postMessage(message, message.kind === 'ran' ? transferables(message.outputs) : []);
      if (command.kind === 'close') port.close();
    },
    (error: Error) => {
      const failure = error instanceof EngineError ? error.kind : 'Internal';
      port.postMessage({
        kind: 'failed',
        failure,
        message: error.message,
        tensorCount: tf.memory().numTensors,
      });
    },
  );
});

type Answer = Reply extends infer R ? (R extends Reply ? Omit<R, 'tensorCount'> : never) : never;

async function handle(command: Command): Promise<Answer> {
  switch (command.kind) {
    case 'load': {
      const loaded = await load(command.directory, command.format);
      models.set(command.id, loaded);
      return { kind: 'loaded', signature: loaded.signature };
    }
    case 'run':
      return { kind: 'ran', outputs: await run(models.get(command.id)!, command.inputs) };
    case 'unload':
      models.get(command.id)?.dispose();
      models.delete(command.id);
      return { kind: 'done' };
    case 'close':
      for (const model of models.values()) model.dispose();
      models.clear();
      return { kind: 'done' };
  }
}

async function load(directory: string, format: 'TFJSGraph' | 'TFJSLayers'): Promise<Loaded> {
  const file = pathToFileURL(join(directory, 'model.json')).href;
  const before = tf.memory().numTensors;
  try {
    return format === 'TFJSGraph'
      ? graphModel(await tf.loadGraphModel(file))
      : layersModel(await tf.loadLayersModel(file));
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const leaked = tf.memory().numTensors - before;
    const hint = leaked > 0 ? ` (${leaked} of its weights stay in memory)` : '';
    throw new EngineError(
      'InvalidArgument',
      `TensorFlow.js cannot load model.json: ${(error as Error).message}${hint}`,
    );
  }
}

function graphModel(model: GraphModel): Loaded {
  const { signature, inputNodes, outputNodes } = signatureOfGraphModel(model);
  const feeds = (inputs: NamedTensorMap): NamedTensorMap =>
    Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [inputNodes.get(name)!, tensor]));
  const listed = (outputs: TfjsTensor | TfjsTensor[]) => (Array.isArray(outputs) ? outputs : [outputs]);
  // Control flow and ops whose output size depends on data need the asynchronous executor; the others are faster.
  let isDynamic = false;
  return {
    signature,
    dispose: () => model.dispose(),
    predict: async (inputs) => {
      if (!isDynamic) {
        try {
          return listed(model.execute(feeds(inputs), outputNodes));
        } catch (error) {
          if (!(error as Error).message.includes('executeAsync')) throw error;
          isDynamic = true;
        }
      }
      return listed(await model.executeAsync(feeds(inputs), outputNodes));
    },
  };
}

function layersModel(model: LayersModel): Loaded {
  const signature = signatureOfLayersModel(model);
  return {
    signature,
    dispose: () => model.dispose(),
    predict: async (inputs) => {
      const outputs = model.predict(signature.inputs.map(({ name }) => inputs[name]!));
      return Array.isArray(outputs) ? outputs : [outputs];
    },
  };
}

/** Every tensor made for a run is disposed of, however the run ends. */
async function run({ signature, predict }: Loaded, inputs: TensorEntries): Promise<TensorEntries> {
  const owned: TfjsTensor[] = [];
  try {
    const named: NamedTensorMap = {};
    for (const [name, tensor] of inputs) {
      named[name] = toTfjs(tensor);
      owned.push(named[name]);
    }
    const outputs = await predict(named).catch((error: Error) => {
      throw new EngineError('Internal', `TensorFlow refused the run: ${error.message}`);
    });
    owned.push(...outputs);
    const entries: TensorEntries = [];
    for (const [index, spec] of signature.outputs.entries())
      entries.push([spec.name, await fromTfjs(spec, outputs[index]!)]);
    return entries;
  } finally {
    for (const tensor of owned) if (!tensor.isDisposed) tensor.dispose();
  }
}

function toTfjs({ datatype, shape, data }: Tensor): TfjsTensor {
  // The cast: TensorFlow.js' types name neither BigInt arrays, which never come here, nor lists of byte strings.
  return tf.tensor(data as unknown as Float32Array, [...shape], tfjsDtype(datatype)!);
}

async function fromTfjs({ datatype, name }: TensorSpec, tensor: TfjsTensor): Promise<Tensor> {
  const dtype = tfjsDtype(datatype);
  if (tensor.dtype !== dtype) {
    throw new EngineError('Internal', `the model gave output "${name}" as ${tensor.dtype}, not ${dtype}`);
  }
  const data = datatype === 'BYTES' ? await tensor.bytes() : tensor.dataSync();
  return { datatype, shape: tensor.shape, data } as Tensor;
}
