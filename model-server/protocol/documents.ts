/** What the two protocols say about a model, besides running it. */
import type { Signature, TensorSpec } from './tensor.ts';
import { tensorflowName } from './tensorflow-types.ts';

/** Open Inference Protocol platforms of the model formats. */
export const platforms = {
  SavedModel: 'tensorflow_savedmodel',
  TFJSGraph: 'tensorflowjs_graph',
  TFJSLayers: 'tensorflowjs_layers',
} as const;

/** `GET /v2` */
export function serverMetadata(version: string) {
  return {
    name: 'aicity-model-server',
    version,
    extensions: ['binary_tensor_data', 'model_repository', 'statistics'],
  };
}

/** `GET /v2/models/{name}`. A dimension of any size is -1; a shape of any rank has no form here and is left empty. */
export function modelMetadata(
  model: { name: string; versions: string[]; platform: string },
  { inputs, outputs }: Signature,
) {
  const tensor = ({ name, datatype, shape }: TensorSpec) => ({ name, datatype, shape: [...(shape ?? [])] });
  return {
    name: model.name,
    versions: model.versions,
    platform: model.platform,
    inputs: inputs.map(tensor),
    outputs: outputs.map(tensor),
  };
}

/** TensorFlow Serving's life of a version. */
export type VersionState = 'START' | 'LOADING' | 'AVAILABLE' | 'UNLOADING' | 'END';

/** `GET /v1/models/{name}`; `name` and `ready` are what KServe's V1 clients read on the same path. */
export function modelStatus(
  name: string,
  versions: readonly { version: string; state: VersionState; error?: string }[],
): object {
  return {
    name,
    ready: versions.some(({ state }) => state === 'AVAILABLE'),
    model_version_status: versions.map(({ version, state, error }) => ({
      version,
      state,
      status: { error_code: error === undefined ? 'OK' : 'UNKNOWN', error_message: error ?? '' },
    })),
  };
}

/** `GET /v1/models/{name}/metadata` */
export function signatureMetadata(name: string, version: string, signatures: Iterable<Signature>): object {
  const tensors = (specs: readonly TensorSpec[]) =>
    Object.fromEntries(specs.map((spec) => [spec.name, tensorInfo(spec)]));
  const definitions = [...signatures].map((signature) => [
    signature.name,
    {
      inputs: tensors(signature.inputs),
      outputs: tensors(signature.outputs),
      method_name: signature.methodName,
    },
  ]);
  return {
    model_spec: { name, signature_name: '', version },
    metadata: { signature_def: { signature_def: Object.fromEntries(definitions) } },
  };
}

/** Sizes are strings, as protobuf's JSON writes 64-bit numbers. */
function tensorInfo({ datatype, shape, tensorName }: TensorSpec): object {
  return {
    dtype: tensorflowName(datatype),
    tensor_shape: {
      dim: (shape ?? []).map((size) => ({ size: String(size), name: '' })),
      unknown_rank: shape === null,
    },
    name: tensorName,
  };
}
