/** Requests as the peers take them, where they differ from ours. */
import type { ClientRequest } from '../contender.ts';
import type { BenchModel } from '../models.ts';
import { valuesOf } from '../requests.ts';

/** The Open Inference Protocol in JSON alone. */
export function inferRequest(model: BenchModel, rows: number, url: string): ClientRequest {
  const data = Array.from(valuesOf(model, rows), (value) => Number(value.toFixed(4)));
  const input = { name: 'x', datatype: 'FP32', shape: [rows, ...model.inputShape], data };
  return { url, body: JSON.stringify({ inputs: [input] }) };
}

/**
 * Rows of float32 as they lie in memory, for servers that have no binary protocol of their own and leave it to their user.
 *
 * @param prefix what tells the server that it is not JSON.
 */
export function bareRowsRequest(
  model: BenchModel,
  rows: number,
  url: string,
  prefix = Buffer.alloc(0),
): ClientRequest {
  const body = Buffer.concat([prefix, Buffer.from(valuesOf(model, rows).buffer)]);
  return { url, headers: { 'content-type': 'application/octet-stream' }, body };
}
