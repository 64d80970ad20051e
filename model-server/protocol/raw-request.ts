/** Raw bytes of the binary tensor extension in a request: behind the JSON, or as the whole body. Pure. */
import { invalid } from './errors.ts';
import { tensorFromBytes } from './raw.ts';
import { datatypeBytes, elementCount, formatShape, type NamedTensors, type Signature } from './tensor.ts';

/** The raw tensors behind the JSON, taken in the order of the inputs. */
export class RawParts {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  take(size: number, field: string): Uint8Array {
    if (size > this.#rest.byteLength) {
      throw invalid(field, `${size} bytes announced, but only ${this.#rest.byteLength} are left in the body`);
    }
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return part;
  }

  finish(): void {
    if (this.#rest.byteLength > 0)
      throw invalid('', `${this.#rest.byteLength} bytes found behind the last input`);
  }
}

/**
 * A body without JSON: the one input of the signature. One variable dimension at most can be worked out from the
 * number of bytes; BYTES are a single string.
 * @throws ProtocolError InvalidArgument
 */
export function inputOfRawBody(body: Uint8Array, signature: Signature): NamedTensors {
  const [spec, ...others] = signature.inputs;
  if (!spec || others.length > 0) {
    throw invalid(
      '',
      `a raw body is one tensor, and signature "${signature.name}" takes ${signature.inputs.length}`,
    );
  }
  const declared = spec.shape;
  if (!declared || declared.filter((size) => size === -1).length > 1) {
    throw invalid(
      '',
      `a raw body does not tell the shape of "${spec.name}", ${formatShape(declared)}; send JSON with the shape`,
    );
  }
  const row = datatypeBytes[spec.datatype] * elementCount(declared.map((size) => (size === -1 ? 1 : size)));
  const variable = spec.datatype === 'BYTES' ? 1 : Math.floor(body.byteLength / row);
  const shape = declared.map((size) => (size === -1 ? variable : size));
  const bytes = spec.datatype === 'BYTES' ? lengthPrefixed(body) : body;
  const tensor = tensorFromBytes(spec.datatype, shape, bytes, `inputs[0] "${spec.name}"`);
  return new Map([[spec.name, tensor]]);
}

function lengthPrefixed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + body.byteLength);
  new DataView(bytes.buffer).setUint32(0, body.byteLength, true);
  bytes.set(body, 4);
  return bytes;
}
