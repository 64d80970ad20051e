/**
 * Whether a model is from whom it should be. What is signed are the lines of `spec.model.digest`, without those of the
 * signature's own files; the signature lies in the model's directory:
 *
 * - `model.sig`: the signature's bytes, or their base64, as `openssl dgst -sha256 -sign` and `cosign sign-blob` give;
 * - `model.sigstore.json`: a sigstore bundle with a message signature, as `cosign sign-blob --bundle` writes it
 *   (https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto). Only its signature counts:
 *   neither certificates nor the transparency log are asked, since the key is given.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { LoadError } from './load-error.ts';
import { SIGNATURE_FILES } from './signature-files.ts';

const MOST_BYTES = 1 << 20;
const LEAST_RSA_BITS = 2048;

const Bundle = z.union([
  z
    .object({ messageSignature: z.object({ signature: z.base64() }) })
    .transform(({ messageSignature }) => messageSignature.signature),
  // What cosign wrote before there was a format of sigstore's own.
  z.object({ base64Signature: z.base64() }).transform(({ base64Signature }) => base64Signature),
]);

/**
 * @param publicKey PEM.
 * @param document lines of the digest, of all files of the model.
 * @param place how messages call the model.
 * @throws LoadError SignatureMissing, or SignatureInvalid when it is not the key's over these files.
 */
export async function verifySignature(
  publicKey: string,
  directory: string,
  document: string,
  place: string,
): Promise<void> {
  const key = keyFrom(publicKey);
  const signed = Buffer.from(signedPart(document));
  const found: string[] = [];
  for (const file of SIGNATURE_FILES) {
    const bytes = await contentOf(join(directory, file));
    if (!bytes) continue;
    found.push(file);
    const signature = file.endsWith('.json') ? fromBundle(bytes, `${place}/${file}`) : plain(bytes);
    if (isSignedBy(key, signed, signature)) return;
  }
  if (found.length === 0) {
    throw new LoadError(
      'SignatureMissing',
      `${place} holds neither ${SIGNATURE_FILES.join(' nor ')}, and spec.model.signature.publicKey asks for a signature: sign the model, or remove spec.model.signature`,
    );
  }
  throw new LoadError(
    'SignatureInvalid',
    `${found.join(' and ')} at ${place} is no signature of spec.model.signature.publicKey over these files: sign the files as they are, or give the key that has signed them`,
  );
}

/** The lines of all files but the signatures themselves. */
export function signedPart(document: string): string {
  const own = new Set<string>(SIGNATURE_FILES);
  return document
    .split('\n')
    .filter((line) => !own.has(line.slice(line.indexOf('  ') + 2)))
    .join('\n');
}

function keyFrom(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw invalidKey(`is not understood (${(cause as Error).message})`);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519' || type === 'ec') return key;
  if (type !== 'rsa') throw invalidKey(`is a key of the kind ${type}`);
  if ((details?.modulusLength ?? 0) >= LEAST_RSA_BITS) return key;
  throw invalidKey(
    `is an RSA key of ${details?.modulusLength} bits, and fewer than ${LEAST_RSA_BITS} are not safe`,
  );
}

function invalidKey(found: string): LoadError {
  return new LoadError(
    'SignatureInvalid',
    `spec.model.signature.publicKey ${found}: give the PEM of an ECDSA, Ed25519 or RSA public key`,
  );
}

/** The digest that goes with the key; for large curves SHA-256, too, which openssl uses unless told otherwise. */
function isSignedBy(key: KeyObject, content: Uint8Array, signature: Uint8Array): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return verify(null, content, key, signature);
  const larger = { secp384r1: 'sha384', secp521r1: 'sha512' }[details?.namedCurve ?? ''];
  return ['sha256', ...(larger ? [larger] : [])].some((digest) => verify(digest, content, key, signature));
}

async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.length > MOST_BYTES ? Buffer.alloc(0) : bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Base64 is recognised: DER begins with a byte that is no letter of it, and raw bytes are hardly ever all letters. */
function plain(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').trim();
  return /^[A-Za-z0-9+/\r\n]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : bytes;
}

function fromBundle(bytes: Buffer, place: string): Buffer {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch {
    document = undefined;
  }
  const parsed = Bundle.safeParse(document);
  if (parsed.success) return Buffer.from(parsed.data, 'base64');
  throw new LoadError(
    'SignatureInvalid',
    `${place} is no sigstore bundle with a message signature: make it with cosign sign-blob --bundle`,
  );
}
