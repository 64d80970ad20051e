/**
 * The first inferences of a model, with what was recorded for it and with made-up inputs: they make TensorFlow build
 * what it builds on first use, and they are the proof that the model answers.
 */
import type { Engine, LoadedModel } from '../engine/engine.ts';
import { defaultSignature } from '../engine/engine.ts';
import {
  type Datatype,
  elementCount,
  isBatchable,
  type NamedTensors,
  type Signature,
  type Tensor,
  type TensorArrays,
} from '../protocol/tensor.ts';
import { LoadError } from '../repository/load-error.ts';
import type { RecordedRequest } from './recorded-requests.ts';

/** Sizes that are tried for a variable dimension other than the first: not every model takes every size. */
const SIZES_TO_TRY = [1, 16, 64, 224, 299];

const ARRAYS: { readonly [D in Exclude<Datatype, 'BYTES'>]: new (length: number) => TensorArrays[D] } = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

export interface WarmUp {
  requests: number;
  /** Rows of every second request, where requests may be joined. */
  maxBatchSize: number;
  /** Real requests that the model brings along. */
  recorded?: readonly RecordedRequest[];
}

export interface WarmedUp {
  /** Signatures whose requests may be joined: with more rows, only the first dimension of the outputs grew. */
  joinable: ReadonlySet<string>;
  /** What a person may want to know, in sentences. */
  remarks: readonly string[];
}

/**
 * Runs what was recorded, then every signature `requests` times.
 * @throws LoadError WarmUpFailed when a recorded request is not answered, or when the signature that requests use by
 * default answers neither these nor made-up ones. Signatures beside
 * it, and those whose inputs are texts (no made-up text can be known to fit), are only remarked upon.
 */
export async function warmUp(
  engine: Engine,
  model: LoadedModel,
  { requests, maxBatchSize, recorded = [] }: WarmUp,
): Promise<WarmedUp> {
  const proven = await replay(engine, model, recorded);
  const joinable = new Set<string>();
  const remarks: string[] = [];
  for (const signature of model.signatures.values()) {
    try {
      const rows = isBatchable(signature) && maxBatchSize > 1 ? maxBatchSize : undefined;
      const size = await firstAnsweredSize(engine, model, signature);
      let grown: NamedTensors | undefined;
      for (let request = 1; request < requests || (request === 1 && rows); request++) {
        const outputs = await run(engine, model, signature, request % 2 === 1 ? (rows ?? 1) : 1, size.size);
        if (request === 1) grown = outputs;
      }
      if (rows && grown) {
        if (onlyRowsGrew(size.outputs, grown, rows)) joinable.add(signature.name);
        else
          remarks.push(
            `requests to ${signature.name} are not joined: its outputs do not have one row per input row`,
          );
      }
    } catch (error) {
      const sentence = (error as Error).message;
      if (isNeeded(model, signature) && !proven.has(signature.name)) {
        throw new LoadError('WarmUpFailed', `the signature ${signature.name} does not answer: ${sentence}`);
      }
      remarks.push(`the signature ${signature.name} does not answer made-up inputs: ${sentence}`);
    }
  }
  return { joinable, remarks };
}

/** @returns the signatures that have answered. */
async function replay(
  engine: Engine,
  model: LoadedModel,
  recorded: readonly RecordedRequest[],
): Promise<Set<string>> {
  const proven = new Set<string>();
  for (const { place, signature, inputs } of recorded) {
    try {
      await engine.run(model.id, signature, inputs);
    } catch (error) {
      throw new LoadError('WarmUpFailed', `the model does not answer ${place}: ${(error as Error).message}`);
    }
    proven.add(signature);
  }
  return proven;
}

async function firstAnsweredSize(
  engine: Engine,
  model: LoadedModel,
  signature: Signature,
): Promise<{ size: number; outputs: NamedTensors }> {
  const sizes = hasInnerVariable(signature) ? SIZES_TO_TRY : [1];
  let failure: unknown;
  for (const size of sizes) {
    try {
      return { size, outputs: await run(engine, model, signature, 1, size) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function run(
  engine: Engine,
  model: LoadedModel,
  signature: Signature,
  rows: number,
  size: number,
): Promise<NamedTensors> {
  return engine.run(model.id, signature.name, syntheticInputs(signature, rows, size));
}

/** Zeros, false and empty texts of the shapes that the signature asks for. */
export function syntheticInputs(signature: Signature, rows: number, size: number): NamedTensors {
  return new Map(
    signature.inputs.map(({ name, datatype, shape }) => [
      name,
      zeros(
        datatype,
        (shape ?? [-1]).map((dimension, axis) => (dimension === -1 ? (axis === 0 ? rows : size) : dimension)),
      ),
    ]),
  );
}

function zeros(datatype: Datatype, shape: readonly number[]): Tensor {
  const length = elementCount(shape);
  const data =
    datatype === 'BYTES' ? Array.from({ length }, () => new Uint8Array(0)) : new ARRAYS[datatype](length);
  return { datatype, shape, data } as Tensor;
}

/** The signature that requests use by default, unless its inputs cannot be made up. */
function isNeeded({ signatures }: LoadedModel, { name, inputs }: Signature): boolean {
  const isDefault = name === defaultSignature || (!signatures.has(defaultSignature) && signatures.size === 1);
  return isDefault && inputs.every(({ datatype, shape }) => datatype !== 'BYTES' && shape !== null);
}

function hasInnerVariable({ inputs }: Signature): boolean {
  return inputs.some(({ shape }) => shape?.slice(1).includes(-1));
}

function onlyRowsGrew(one: NamedTensors, many: NamedTensors, rows: number): boolean {
  return [...one].every(([name, { shape }]) => {
    const grown = many.get(name)?.shape;
    return (
      grown?.length === shape.length &&
      grown[0] === rows &&
      grown.slice(1).every((size, axis) => size === shape[axis + 1])
    );
  });
}
