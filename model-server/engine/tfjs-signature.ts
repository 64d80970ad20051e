/** The one signature of a TensorFlow.js model, `serving_default`. */
import type { GraphModel, LayersModel, SymbolicTensor } from '@tensorflow/tfjs-node';
import type { Signature, TensorSpec } from '../protocol/tensor.ts';
import { datatypeOfTfjs } from './data-types.ts';
import { defaultSignature, EngineError } from './engine.ts';

const methodName = 'tensorflow/serving/predict';

interface GraphSignature {
  readonly signature: Signature;
  /** From an input's name to the graph's node. */
  readonly inputNodes: ReadonlyMap<string, string>;
  /** The graph's nodes in the order of the signature's outputs. */
  readonly outputNodes: string[];
}

/** What a converter writes into model.json; absent in models that were not converted from a SavedModel. */
interface WrittenSignature {
  readonly inputs?: Readonly<Record<string, { readonly name?: string }>>;
  readonly outputs?: Readonly<Record<string, { readonly name?: string }>>;
}

/** Names come from the signature in model.json, else they are the names of the graph's nodes. */
export function signatureOfGraphModel(model: GraphModel): GraphSignature {
  const written = (model.modelSignature ?? {}) as WrittenSignature;
  const inputNames = clientNames(written.inputs);
  const outputNames = clientNames(written.outputs);
  const nameOf = (names: ReadonlyMap<string, string>, node: string) => names.get(bare(node)) ?? node;
  const inputs = model.inputs.map((info) => specOf(nameOf(inputNames, info.name), info));
  const outputs = model.outputs.map((info) => specOf(nameOf(outputNames, info.name), info));
  return {
    signature: { name: defaultSignature, inputs, outputs, methodName },
    inputNodes: new Map(inputs.map((spec, index) => [spec.name, model.inputs[index]!.name])),
    outputNodes: model.outputs.map(({ name }) => name),
  };
}

/** From the graph's node to the name that clients use. */
function clientNames(entries: WrittenSignature['inputs'] = {}): ReadonlyMap<string, string> {
  return new Map(Object.entries(entries).map(([name, { name: node }]) => [bare(node ?? name), name]));
}

const bare = (tensorName: string) => tensorName.replace(/:0$/, '');

/** Inputs and outputs are called after their layers, as in Keras; a second tensor of one layer gets a number. */
export function signatureOfLayersModel(model: LayersModel): Signature {
  const specs = (tensors: SymbolicTensor[]) => {
    const names = tensors.map(({ sourceLayer, name }) => sourceLayer?.name ?? name);
    return tensors.map((tensor, index) => {
      const name = names[index]!;
      const earlier = names.slice(0, index).filter((other) => other === name).length;
      return specOf(earlier === 0 ? name : `${name}_${earlier}`, tensor);
    });
  };
  return {
    name: defaultSignature,
    inputs: specs(model.inputs),
    outputs: specs(model.outputs),
    methodName,
  };
}

interface TensorInfo {
  readonly name: string;
  readonly shape?: readonly (number | null)[] | undefined;
  readonly dtype: string;
}

function specOf(name: string, info: TensorInfo): TensorSpec {
  const datatype = datatypeOfTfjs(info.dtype);
  if (!datatype) {
    throw new EngineError(
      'InvalidArgument',
      `"${name}" is of type ${info.dtype}, which no request can carry`,
    );
  }
  return {
    name,
    datatype,
    shape: info.shape?.map((size) => (size === null || size < 0 ? -1 : size)) ?? null,
    tensorName: `${info.name}:0`,
  };
}
