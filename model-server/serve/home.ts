/** `GET /`: what is served, and a request to try it with. */
import { formatShape, type Signature, type TensorSpec } from '../protocol/tensor.ts';
import type { HostedModel } from './hosted-model.ts';
import type { ModelCatalog } from './model-catalog.ts';
import { versionOf } from './named-model.ts';

const DOCUMENTS = {
  status: '/v1/models/{model}',
  predict: '/v1/models/{model}:predict',
  metadata: '/v2/models/{model}',
  infer: '/v2/models/{model}/infer',
  ready: '/v2/health/ready',
  metrics: '/metrics',
};
/** Examples with more numbers than this are of no use to a reader. */
const MOST_NUMBERS = 64;

/** @param address host and port as the client wrote them. */
export function homePage(models: Pick<ModelCatalog, 'entries' | 'find'>, address = 'localhost'): object {
  const newest = (name: string) => versionOf(models.find(name));
  return {
    models: models.entries().map(({ name, version, state, reason }) => ({
      ...{ name, version, state },
      ...(reason === '' ? {} : { why: reason }),
      ...(state === 'READY'
        ? details(
            models.find(name, { version }),
            version === newest(name) ? '' : `/versions/${version}`,
            address,
          )
        : {}),
    })),
    paths: DOCUMENTS,
  };
}

/** @param path what a request needs beside the name to mean this version. */
function details({ name, format, digest, loaded }: HostedModel, path: string, address: string): object {
  return {
    ...{ format, digest },
    signatures: [...loaded.signatures.values()].map((signature) => ({
      name: signature.name,
      inputs: Object.fromEntries(signature.inputs.map(described)),
      outputs: Object.fromEntries(signature.outputs.map(described)),
      try: tryIt(`${encodeURIComponent(name)}${path}`, signature, address),
    })),
  };
}

const described = ({ name, datatype, shape }: TensorSpec) => [name, `${datatype} ${formatShape(shape)}`];

/** A line for a shell, with zeros in the right shape; undefined when it would fill pages. */
function tryIt(path: string, { name: signature, inputs }: Signature, address: string): string | undefined {
  const numbers = inputs.reduce(
    (sum, { shape }) => sum + (shape ?? []).reduce((n, size) => n * Math.abs(size), 1),
    0,
  );
  if (numbers > MOST_NUMBERS) return undefined;
  const row = Object.fromEntries(inputs.map((spec) => [spec.name, zeros(spec, (spec.shape ?? []).slice(1))]));
  const [only] = inputs;
  const instance = inputs.length === 1 && only ? row[only.name] : row;
  const body = JSON.stringify({ signature_name: signature, instances: [instance] });
  const safeAddress = /^[\w.:[\]-]+$/.test(address) ? address : 'localhost';
  return `curl http://${safeAddress}/v1/models/${path}:predict -d '${body.replaceAll("'", "'\\''")}'`;
}

function zeros(spec: TensorSpec, shape: readonly number[]): unknown {
  const [size, ...inner] = shape;
  if (size !== undefined) return Array.from({ length: Math.abs(size) }, () => zeros(spec, inner));
  return spec.datatype === 'BYTES' ? '' : spec.datatype === 'BOOL' ? false : 0;
}
