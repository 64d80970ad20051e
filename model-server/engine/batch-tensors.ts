/** Tensors whose rows, along dimension 0, are joined into one contiguous buffer for each name, and dealt out again. */
import { freeMemory } from '../free-memory.ts';
import { elementCount, type NamedTensors, type Tensor } from '../protocol/tensor.ts';

/**
 * Rows of a request, when all its inputs agree on them; undefined when it cannot be joined with others.
 */
export function rowsOf(inputs: NamedTensors): number | undefined {
  let rows: number | undefined;
  for (const { shape } of inputs.values()) {
    if (shape[0] === undefined || shape[0] === 0 || (rows !== undefined && rows !== shape[0]))
      return undefined;
    rows = shape[0];
  }
  return rows;
}

/** Datatypes and shapes without the first dimension: requests with equal ones fit into one buffer. */
export function innerShapes(inputs: NamedTensors): string {
  let text = '';
  for (const [name, { datatype, shape }] of inputs) {
    text += `${name}:${datatype}[`;
    for (let axis = 1; axis < shape.length; axis++) text += `${shape[axis]},`;
    text += ']';
  }
  return text;
}

/** Bytes of a request's tensors; for BYTES what the elements hold, and a little for each. */
export function bytesOf(inputs: NamedTensors): number {
  let bytes = 0;
  for (const { datatype, data } of inputs.values()) {
    bytes +=
      datatype === 'BYTES'
        ? data.reduce((sum, element) => sum + element.byteLength + 32, 0)
        : data.byteLength;
  }
  return bytes;
}

/**
 * All rows, in the order of the parts.
 * @param parts at least one, all with the same names and `innerShapes`.
 */
export function join(parts: readonly NamedTensors[]): NamedTensors {
  const [first] = parts;
  const joined = new Map<string, Tensor>();
  for (const name of first?.keys() ?? []) {
    joined.set(name, joinOne(parts.map((part) => part.get(name) as Tensor)));
  }
  return joined;
}

function joinOne(parts: readonly Tensor[]): Tensor {
  const [first] = parts as [Tensor, ...Tensor[]];
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const shape = [rows, ...first.shape.slice(1)];
  if (first.datatype === 'BYTES') {
    return { datatype: 'BYTES', shape, data: parts.flatMap(({ data }) => data as Uint8Array[]) };
  }
  const Buffer = first.data.constructor as new (length: number) => typeof first.data;
  const data = new Buffer(elementCount(shape));
  let at = 0;
  for (const part of parts) {
    (data as Uint8Array).set(part.data as Uint8Array, at);
    at += part.data.length;
  }
  return { datatype: first.datatype, shape, data } as Tensor;
}

/** Gives the memory of a request back that was run as part of a joined one. */
export function freeInputs(inputs: NamedTensors): void {
  for (const { datatype, data } of inputs.values()) if (datatype !== 'BYTES') freeMemory(data);
}

/**
 * Parts with so many rows each, as views of the joined tensors; undefined when one of these has not as many rows, so that
 * nobody can say whose they are.
 */
export function split(joined: NamedTensors, rows: readonly number[]): NamedTensors[] | undefined {
  const total = rows.reduce((sum, count) => sum + count, 0);
  const shares: Map<string, Tensor>[] = rows.map(() => new Map());
  for (const [name, tensor] of joined) {
    if (tensor.shape[0] !== total) return undefined;
    const inner = tensor.shape.slice(1);
    const perRow = elementCount(inner);
    let at = 0;
    rows.forEach((count, index) => {
      const end = at + count * perRow;
      const data =
        tensor.datatype === 'BYTES'
          ? tensor.data.slice(at, end)
          : (tensor.data as Uint8Array).subarray(at, end);
      shares[index]?.set(name, { datatype: tensor.datatype, shape: [count, ...inner], data } as Tensor);
      at = end;
    });
  }
  return shares;
}
