/** Signatures of TensorFlow.js models, from what the library knows of a loaded model. Pure. */
import type { Datatype, Signature, TensorSpec } from '../protocol/tensor.ts';
import { defaultSignature, EngineError } from './engine.ts';

/** An input or output as TensorFlow.js describes it: a graph's node or a layer's symbolic tensor. */
export interface TfjsTensorInfo {
  readonly name: string;
  readonly shape?: readonly (number | null)[] | undefined;
  /** Missing where the library cannot tell from the operation, as for ArgMax. */
  readonly dtype?: string | undefined;
}

/** `signature` of a graph model's `model.json`: TensorFlow's SignatureDef as JSON. */
export interface GraphSignature {
  readonly inputs?: Readonly<Record<string, GraphTensorInfo>>;
  readonly outputs?: Readonly<Record<string, GraphTensorInfo>>;
}
interface GraphTensorInfo {
  readonly name?: string;
  readonly dtype?: string;
  readonly tensorShape?: {
    readonly dim?: readonly { readonly size?: string | number }[];
    readonly unknownRank?: boolean;
  };
  /** Set for a variable or table that the model feeds itself. */
  readonly resourceId?: unknown;
}

const datatypes: Readonly<Record<string, Datatype>> = {
  float32: 'FP32',
  int32: 'INT32',
  bool: 'BOOL',
  string: 'BYTES',
};

/** TensorFlow's types as the library holds them: all its integers are int32. */
const tensorflowTypes: Readonly<Record<string, string>> = {
  DT_FLOAT: 'float32',
  DT_INT32: 'int32',
  DT_INT64: 'int32',
  DT_UINT8: 'int32',
  DT_BOOL: 'bool',
  DT_STRING: 'string',
};

/**
 * FP32 where nothing is known, as in most outputs without a declared type; what a run gives has its true datatype.
 * @throws EngineError InvalidArgument for a dtype that cannot travel, such as complex64.
 */
export function datatypeOf({ name, dtype = 'float32' }: TfjsTensorInfo): Datatype {
  const datatype = Object.hasOwn(datatypes, dtype) ? datatypes[dtype] : undefined;
  if (datatype) return datatype;
  throw new EngineError('InvalidArgument', `"${name}" has the dtype ${dtype}, which cannot be served`);
}

/** A layers model: names are those of its input and output layers. */
export function layersSignature(
  inputNames: readonly string[],
  inputs: readonly TfjsTensorInfo[],
  outputNames: readonly string[],
  outputs: readonly TfjsTensorInfo[],
): Signature {
  const specs = (names: readonly string[], infos: readonly TfjsTensorInfo[]): TensorSpec[] =>
    infos.map((info, i) => ({
      name: names[i] ?? info.name,
      datatype: datatypeOf(info),
      shape: knownShape(info.shape),
      tensorName: info.name,
    }));
  return named(specs(inputNames, inputs), specs(outputNames, outputs));
}

/** A graph model: names are those of its signature, or of its nodes when it has none. */
export function graphSignature(
  signature: GraphSignature | undefined,
  inputs: readonly TfjsTensorInfo[],
  outputs: readonly TfjsTensorInfo[],
): Signature {
  return named(graphSpecs(signature?.inputs, inputs), graphSpecs(signature?.outputs, outputs));
}

function graphSpecs(
  declared: Readonly<Record<string, GraphTensorInfo>> | undefined,
  nodes: readonly TfjsTensorInfo[],
): TensorSpec[] {
  const entries = Object.entries(declared ?? {});
  if (entries.length === 0) {
    return nodes.map((node) => ({
      name: node.name,
      datatype: datatypeOf(node),
      shape: knownShape(node.shape),
      tensorName: `${node.name}:0`,
    }));
  }
  return entries.flatMap(([name, info]): TensorSpec[] => {
    if (info.resourceId != null) return [];
    const tensorName = info.name ?? name;
    const node = nodes.find((candidate) => candidate.name === tensorName.replace(/:\d+$/, ''));
    if (!node) {
      throw new EngineError(
        'InvalidArgument',
        `the signature's "${name}" names "${tensorName}", which is not in the graph`,
      );
    }
    return [
      {
        name,
        datatype: datatypeOf({ name, dtype: node.dtype ?? tensorflowTypes[info.dtype ?? ''] ?? info.dtype }),
        shape: declaredShape(info) ?? knownShape(node.shape),
        tensorName,
      },
    ];
  });
}

function named(inputs: TensorSpec[], outputs: TensorSpec[]): Signature {
  return { name: defaultSignature, inputs, outputs, methodName: 'tensorflow/serving/predict' };
}

function declaredShape({ tensorShape }: GraphTensorInfo): number[] | undefined {
  if (!tensorShape || tensorShape.unknownRank) return undefined;
  return (tensorShape.dim ?? []).map(({ size }) => variable(Number(size ?? 0)));
}

function knownShape(shape: readonly (number | null)[] | undefined): number[] | null {
  return shape ? shape.map((size) => variable(size ?? -1)) : null;
}

function variable(size: number): number {
  return size < 0 ? -1 : size;
}
