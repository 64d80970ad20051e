/**
 * Signatures that compute the same. Keras writes each model under two names, `serve` and `serving_default`, as calls of two
 * functions that only call a third: TensorFlow need not prepare, and keep, both. Pure.
 */
import type { Signature } from '../protocol/tensor.ts';
import { type FunctionView, functionsOf, type GraphView } from './graph/graph-view.ts';

/** More than a function that only calls another has. */
const MOST_BYTES = 64 * 1024;
const calls = new Set(['PartitionedCall', 'StatefulPartitionedCall']);

/** @returns for each signature that computes the same as one before it, the name of that one. */
export function sameSignatures(signatures: readonly Signature[], graph: GraphView): Map<string, string> {
  const first = new Map<string, string>();
  const same = new Map<string, string>();
  for (const signature of signatures) {
    const what = computed(signature, graph);
    const known = what === undefined ? undefined : first.get(what);
    if (known !== undefined) same.set(signature.name, known);
    else if (what !== undefined) first.set(what, signature.name);
  }
  return same;
}

/** Equal for two signatures only when they compute the same; undefined for what is no call of a small function. */
function computed({ inputs, outputs }: Signature, { nodes, functions }: GraphView): string | undefined {
  const [called, ...others] = new Set(outputs.map(({ tensorName }) => nodeOf(tensorName)));
  const node = nodes.get(called ?? '');
  if (!node || others.length > 0 || !calls.has(node.op)) return undefined;
  const [name = ''] = functionsOf(node.attributes.get('f') ?? new Uint8Array(0));
  const definition = functions.get(name);
  if (!definition || definition.bytes.length > MOST_BYTES) return undefined;
  const given = new Map(inputs.map((input) => [input.tensorName, `the input ${input.name}`]));
  return JSON.stringify([
    node.op,
    node.inputs.map((input) => given.get(input.includes(':') ? input : `${input}:0`) ?? input),
    bodyOf(definition),
    inputs.map(({ tensorName, ...spec }) => spec),
    outputs.map(({ tensorName, ...spec }) => [spec, tensorName.split(':')[1]]),
  ]);
}

const nodeOf = (tensorName: string) => tensorName.split(':')[0] as string;

/** All but its own name, and but what is only told of it. */
function bodyOf({ inputs, outputs, nodes, returns, isGeneric }: FunctionView): unknown[] {
  const body = [...nodes.values()].map(({ name, op, inputs: from, attributes }) => [
    ...[name, op, from],
    [...attributes]
      .filter(([key]) => !key.startsWith('_'))
      .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
      .sort(),
  ]);
  return [inputs, outputs, body, [...returns], isGeneric];
}
