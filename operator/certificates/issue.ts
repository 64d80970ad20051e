/**
 * Makes the certificate authority and the serving certificate: X.509 v3 (RFC 5280), ECDSA on P-256 with SHA-256.
 */
import 'reflect-metadata'; // must come first: the certificate library resolves its parts through it
import { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { AUTHORITY_LIFE_DAYS, SERVING_LIFE_DAYS } from './renewal.ts';

/** Not extractable through logs by accident: neither text may ever be logged. */
export interface IssuedCertificate {
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly privateKeyPem: string;
}

const subtle = webcrypto.subtle;
const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** Clocks of nodes differ; a certificate made this moment must be valid on a node that is a little behind. */
const BACKDATE_MILLISECONDS = 5 * 60_000;
const DAY_MILLISECONDS = 86_400_000;

/** A self-signed authority that can sign serving certificates and no further authority. */
export async function makeAuthority(now: Date, lifeDays = AUTHORITY_LIFE_DAYS): Promise<IssuedCertificate> {
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    // Distinct names, so that a client that trusts two authorities picks the right one by name.
    name: `CN=aicity-operator-ca-${now.getTime()}`,
    notBefore: new Date(now.getTime() - BACKDATE_MILLISECONDS),
    notAfter: new Date(now.getTime() + lifeDays * DAY_MILLISECONDS),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate), privateKeyPem: await privateKeyPem(keys.privateKey) };
}

/**
 * A certificate for a TLS server of these DNS names; the first is its common name. It never outlives its authority.
 */
export async function issueServing(
  authority: IssuedCertificate,
  names: readonly string[],
  now: Date,
  lifeDays = SERVING_LIFE_DAYS,
): Promise<IssuedCertificate> {
  const issuer = new X509Certificate(authority.certificatePem);
  const keys = await makeKeys();
  const wantedEnd = now.getTime() + lifeDays * DAY_MILLISECONDS;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${names[0]}`.slice(0, 67), // a common name has at most 64 characters
    issuer: issuer.subject,
    notBefore: new Date(Math.max(now.getTime() - BACKDATE_MILLISECONDS, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(wantedEnd, issuer.notAfter.getTime())),
    signingAlgorithm: SIGNATURE,
    publicKey: keys.publicKey,
    signingKey: await signingKey(authority.privateKeyPem),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate), privateKeyPem: await privateKeyPem(keys.privateKey) };
}

/** DNS names of a Service, from the shortest to the full one in the default cluster domain. */
export function serviceNames(service: string, namespace: string): string[] {
  const inCluster = `${service}.${namespace}.svc`;
  return [inCluster, service, `${service}.${namespace}`, `${inCluster}.cluster.local`];
}

const makeKeys = () => subtle.generateKey(KEY, true, ['sign', 'verify']);

/** 16 random bytes; the first is kept below 0x80 and above 0, or DER would pad the number or drop the byte. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const base64 = pem.replace(/-----[A-Z ]+-----|\s/g, '');
  return subtle.importKey('pkcs8', Buffer.from(base64, 'base64'), KEY, false, ['sign']);
}

const pemOf = (certificate: X509Certificate): string => `${certificate.toString('pem').trim()}\n`;
