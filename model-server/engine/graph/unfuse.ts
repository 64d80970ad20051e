/**
 * Operations that TensorFlow.js' converter has fused, as the plain ones that they stand for. TensorFlow fuses again
 * what it can run fused, while the fused forms of TensorFlow.js would partly be unknown to it. Pure.
 */
import { type Attribute, attribute, dataTypes, type Node } from './graph-def.ts';
import { bytesOf, type JsonAttributes, textOf, writeAttribute } from './json-attributes.ts';
import { NotTranslatable } from './not-translatable.ts';
import type { JsonNode } from './topology.ts';

/** Plain operation, and its attributes that the fused one has too. */
const fusedOperations: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  _FusedMatMul: ['MatMul', ['transpose_a', 'transpose_b']],
  _FusedConv2D: ['Conv2D', ['strides', 'padding', 'explicit_paddings', 'data_format', 'dilations']],
  FusedDepthwiseConv2dNative: [
    'DepthwiseConv2dNative',
    ['strides', 'padding', 'explicit_paddings', 'data_format', 'dilations'],
  ],
};

/** Activations that are operations of the same name. */
const activations = new Set(['Relu', 'Relu6', 'Elu', 'Sigmoid', 'Tanh']);

const float = { T: attribute.type(dataTypes.float) };

/** The nodes that take its place, the last with its name; undefined when it is no fused operation. */
export function unfused(node: JsonNode): Node[] | undefined {
  const { name, op, input = [], attr = {} } = node;
  if (op === 'Prelu') return prelu(name, input);
  const plain = Object.hasOwn(fusedOperations, op) ? fusedOperations[op] : undefined;
  if (!plain) return undefined;
  const [operation, kept] = plain;
  if (attr['T']?.type !== undefined && attr['T'].type !== 'DT_FLOAT' && attr['T'].type !== 1) {
    throw new NotTranslatable(`"${name}" is a fused ${operation} of ${attr['T'].type}`);
  }
  const data = input.filter((each) => !each.startsWith('^'));
  const order = input.filter((each) => each.startsWith('^'));
  const steps = (attr['fused_ops']?.list?.s ?? []).map((each) => Buffer.from(bytesOf(each)).toString());
  const nodes: Node[] = [
    {
      name: `${name}/unfused`,
      op: operation,
      inputs: [...data.slice(0, 2), ...order],
      attributes: { ...float, ...pick(attr, kept) },
    },
  ];
  const rest = data.slice(2);
  for (const [index, step] of steps.entries()) {
    const from = (nodes.at(-1) as Node).name;
    nodes.push(...following(step, `${name}/unfused_${index}`, from, rest, attr));
  }
  if (rest.length > 0) throw new NotTranslatable(`"${name}" is a ${op} with more inputs than are known`);
  return renamedLast(nodes, name);
}

/** @param rest further inputs of the fused operation; those that are used are taken out. */
function following(step: string, name: string, from: string, rest: string[], attr: JsonAttributes): Node[] {
  const next = () => {
    const input = rest.shift();
    if (input === undefined) throw new NotTranslatable(`"${name}" lacks the input of its ${step}`);
    return input;
  };
  if (step === 'BiasAdd') {
    const format = textOf(attr['data_format']) ?? 'NHWC';
    const attributes = { ...float, data_format: attribute.bytes(format) };
    return [{ name, op: 'BiasAdd', inputs: [from, next()], attributes }];
  }
  if (step === 'Prelu') return prelu(name, [from, next()]);
  if (step === 'LeakyRelu') {
    const alpha = attr['leakyrelu_alpha'] ? writeAttribute(attr['leakyrelu_alpha']) : attribute.float(0.2);
    return [{ name, op: 'LeakyRelu', inputs: [from], attributes: { ...float, alpha } }];
  }
  if (activations.has(step)) return [{ name, op: step, inputs: [from], attributes: float }];
  throw new NotTranslatable(`"${name}" has a fused ${step}`);
}

/** max(x, 0) + alpha × min(x, 0), with min(x, 0) = -max(-x, 0). */
export function prelu(name: string, [x = '', alpha = '']: readonly string[]): Node[] {
  const node = (part: string, op: string, ...inputs: string[]): Node => ({
    name: `${name}/${part}`,
    op,
    inputs,
    attributes: float,
  });
  return [
    node('positive', 'Relu', x),
    node('negated', 'Neg', x),
    node('below', 'Relu', `${name}/negated`),
    node('negative', 'Neg', `${name}/below`),
    node('scaled', 'Mul', alpha, `${name}/negative`),
    { name, op: 'AddV2', inputs: [`${name}/positive`, `${name}/scaled`], attributes: float },
  ];
}

function pick(attributes: JsonAttributes, names: readonly string[]): Record<string, Attribute> {
  return Object.fromEntries(
    names.flatMap((name) => (attributes[name] ? [[name, writeAttribute(attributes[name])]] : [])),
  );
}

/** Others refer to the result by the name of the fused operation. */
function renamedLast(nodes: readonly Node[], name: string): Node[] {
  return nodes.map((node, index) => (index === nodes.length - 1 ? { ...node, name } : node));
}
