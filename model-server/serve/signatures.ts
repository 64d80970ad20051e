/** Which signature of a model a request means. */
import { defaultSignature } from '../engine/engine.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Signature } from '../protocol/tensor.ts';
import type { HostedModel } from './hosted-model.ts';

/** @throws ProtocolError InvalidArgument */
export function signatureOf({ loaded: { signatures } }: HostedModel, name: string): Signature {
  const signature = signatures.get(name);
  if (signature) return signature;
  const known = [...signatures.keys()].map((each) => `"${each}"`).join(', ');
  throw new ProtocolError(
    'InvalidArgument',
    'signature_name',
    `"${name.slice(0, 100)}" found, expected one of ${known}`,
  );
}

/** What a request means that names no signature. */
export function defaultOf({ loaded: { signatures } }: Pick<HostedModel, 'loaded'>): Signature {
  return signatures.get(defaultNameOf(signatures)) as Signature;
}

/** The signature that answers when none is named: `serving_default`, or else the first. */
export function defaultNameOf(signatures: ReadonlyMap<string, Signature>): string {
  return signatures.has(defaultSignature) ? defaultSignature : (signatures.keys().next().value as string);
}
