/**
 * What the Secret with the certificates holds, read and checked. Whatever is wrong with it becomes one sentence; what
 * passes is safe to serve with.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { IssuedCertificate } from './issue.ts';
import type { TlsFacts } from './renewal.ts';

/** Keys of the Secret; `ca.crt` is the bundle that clients trust, the signing authority first. */
const SECRET_KEYS = {
  bundle: 'ca.crt',
  authorityKey: 'ca.key',
  serving: 'tls.crt',
  servingKey: 'tls.key',
} as const;

export interface TlsMaterial {
  readonly authority: IssuedCertificate;
  /** PEM of authorities that sign no more but are still trusted. */
  readonly formerPem: readonly string[];
  readonly serving: IssuedCertificate;
}

/** What a client must trust to talk to us: PEM certificates, one after the other. */
export function bundleOf({ authority, formerPem }: TlsMaterial): string {
  return [authority.certificatePem, ...formerPem].join('');
}

/** The Secret's `data`. */
export function secretDataOf(material: TlsMaterial): Record<string, string> {
  const texts = {
    [SECRET_KEYS.bundle]: bundleOf(material),
    [SECRET_KEYS.authorityKey]: material.authority.privateKeyPem,
    [SECRET_KEYS.serving]: material.serving.certificatePem,
    [SECRET_KEYS.servingKey]: material.serving.privateKeyPem,
  };
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}

export type ReadMaterial =
  | { readonly ok: true; readonly material: TlsMaterial; readonly facts: TlsFacts }
  | { readonly ok: false; readonly problem: string };

/** Reads the Secret's `data`. The sentence in `problem` never holds any of the content. */
export function readMaterial(data: Readonly<Record<string, string>> | undefined): ReadMaterial {
  const text = (key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');
  const missing = Object.values(SECRET_KEYS).find((key) => !data?.[key]);
  if (missing) return { ok: false, problem: `the key ${missing} is missing` };

  const bundle = certificatesIn(text(SECRET_KEYS.bundle));
  const [serving] = certificatesIn(text(SECRET_KEYS.serving));
  const [authority, ...former] = bundle;
  if (!authority) return { ok: false, problem: `${SECRET_KEYS.bundle} holds no PEM certificate` };
  if (!serving) return { ok: false, problem: `${SECRET_KEYS.serving} holds no PEM certificate` };
  if (!bundle.every(({ ca }) => ca)) {
    return { ok: false, problem: `${SECRET_KEYS.bundle} holds a certificate that is no authority` };
  }
  const authorityKey = text(SECRET_KEYS.authorityKey);
  const servingKey = text(SECRET_KEYS.servingKey);
  if (!isKeyOf(authority, authorityKey)) {
    return {
      ok: false,
      problem: `${SECRET_KEYS.authorityKey} is not the key of the first certificate in ${SECRET_KEYS.bundle}`,
    };
  }
  if (!isKeyOf(serving, servingKey)) {
    return { ok: false, problem: `${SECRET_KEYS.servingKey} is not the key of ${SECRET_KEYS.serving}` };
  }
  const signer = bundle.find(
    (candidate) => serving.checkIssued(candidate) && serving.verify(candidate.publicKey),
  );
  if (!signer) {
    return {
      ok: false,
      problem: `${SECRET_KEYS.serving} is signed by no authority in ${SECRET_KEYS.bundle}`,
    };
  }
  return {
    ok: true,
    material: {
      authority: { certificatePem: pemOf(authority), privateKeyPem: authorityKey },
      formerPem: former.map(pemOf),
      serving: { certificatePem: pemOf(serving), privateKeyPem: servingKey },
    },
    facts: {
      authority: lifetimeOf(authority),
      trustsFormer: former.length > 0,
      serving: {
        ...lifetimeOf(serving),
        signedByAuthority: signer === authority,
        names: dnsNamesOf(serving),
      },
    },
  };
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** All certificates in a PEM text; none when one of them cannot be parsed. */
export function certificatesIn(pem: string): X509Certificate[] {
  try {
    return (pem.match(PEM_CERTIFICATE) ?? []).map((one) => new X509Certificate(one));
  } catch {
    return [];
  }
}

function isKeyOf(certificate: X509Certificate, privateKeyPem: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    return false;
  }
}

const pemOf = (certificate: X509Certificate): string => `${certificate.toString().trim()}\n`;

const lifetimeOf = ({ validFromDate, validToDate }: X509Certificate) => ({
  notBefore: validFromDate,
  notAfter: validToDate,
});

const dnsNamesOf = ({ subjectAltName = '' }: X509Certificate): string[] =>
  subjectAltName
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length));
