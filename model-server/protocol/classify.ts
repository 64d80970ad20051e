/**
 * TensorFlow Serving's classify and regress: which signatures can answer them, and how results are written
 * (https://www.tensorflow.org/tfx/serving/api_rest#classify_and_regress_api). Pure.
 */
import { invalid, ProtocolError } from './errors.ts';
import { formatShape, type NamedTensors, type Signature, type Tensor } from './tensor.ts';
import { base64Object, elementWriter, textOf } from './write-tensor.ts';

export type ExampleMethod = 'classify' | 'regress';

const methodNames = {
  classify: 'tensorflow/serving/classify',
  regress: 'tensorflow/serving/regress',
} as const;

/** Whether a signature was made for the method, and takes serialised examples. */
export function answers(method: ExampleMethod, { methodName, inputs }: Signature): boolean {
  return methodName === methodNames[method] && inputs.length === 1 && inputs[0]?.datatype === 'BYTES';
}

/**
 * The input of the signature, made of examples.
 * @param all every signature of the model, for the message.
 * @throws ProtocolError InvalidArgument when the signature was made for something else.
 */
export function exampleInputs(
  method: ExampleMethod,
  signature: Signature,
  examples: Uint8Array[],
  all: Iterable<Signature>,
): NamedTensors {
  const [input] = signature.inputs;
  if (!answers(method, signature) || !input) {
    const fit = [...all].filter((each) => answers(method, each)).map(({ name }) => `"${name}"`);
    const help = fit.length > 0 ? `name one that has it: ${fit.join(', ')}` : 'use :predict with this model';
    throw invalid(
      'signature_name',
      `signature "${signature.name}" has the method "${signature.methodName}", and :${method} needs "${methodNames[method]}"; ${help}`,
    );
  }
  return new Map([[input.name, { datatype: 'BYTES', shape: [examples.length], data: examples }]]);
}

/** `{"results": [1.5, …]}`, one number for each example. @throws ProtocolError when the output has another shape. */
export function encodeRegression(outputs: NamedTensors, examples: number): string {
  const tensor = outputs.get('outputs') ?? outputs.values().next().value;
  if (!tensor || tensor.data.length !== examples || tensor.shape[0] !== examples) {
    throw wrongShape('outputs', tensor, examples);
  }
  const write = elementWriter(tensor, base64Object);
  return `{"results":[${tensorIndices(tensor).map(write).join(',')}]}`;
}

/**
 * `{"results": [[["label", 0.9], …], …]}`, for each example its labels with their scores; without the output
 * `classes` labels are empty, without `scores` scores are 0, as TensorFlow Serving fills them.
 */
export function encodeClassification(outputs: NamedTensors, examples: number): string {
  const [classes, scores] = [outputs.get('classes'), outputs.get('scores')];
  const given = scores ?? classes;
  const perExample = (given?.data.length ?? 0) / examples;
  for (const tensor of [classes, scores]) {
    if (tensor && (tensor.shape[0] !== examples || tensor.data.length !== perExample * examples)) {
      throw wrongShape('classes and scores', tensor, examples);
    }
  }
  if (!given) throw wrongShape('classes and scores', undefined, examples);
  const label = classes ? elementWriter(classes, text) : () => '""';
  const score = scores ? elementWriter(scores, text) : () => '0.0';
  const results = Array.from({ length: examples }, (_, example) => {
    const pairs = Array.from({ length: perExample }, (_, index) => example * perExample + index);
    return `[${pairs.map((at) => `[${label(at)},${score(at)}]`).join(',')}]`;
  });
  return `{"results":[${results.join(',')}]}`;
}

const tensorIndices = ({ data }: Tensor) => Array.from({ length: data.length }, (_, index) => index);

function text(bytes: Uint8Array): string {
  const found = textOf(bytes);
  return found === undefined ? base64Object(bytes) : JSON.stringify(found);
}

function wrongShape(output: string, tensor: Tensor | undefined, examples: number): ProtocolError {
  const found = tensor ? `shape ${formatShape(tensor.shape)}` : 'nothing';
  return new ProtocolError(
    'InvalidArgument',
    'examples',
    `the model gives ${found} for ${output}, which is not one result for each of ${examples} examples; use :predict`,
  );
}
