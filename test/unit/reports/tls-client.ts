import 'reflect-metadata'; // must come first: the certificate library resolves its parts through it
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type RequestOptions, request } from 'node:https';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { IssuedCertificate } from '../../../operator/certificates/issue.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: unknown;
}

/** One HTTPS request to a server on this machine; the body of the answer is parsed when it is JSON. */
export async function call(
  port: number,
  path: string,
  options: RequestOptions & { body?: string | Buffer; name?: string } = {},
): Promise<Answer> {
  const { body, name, ...rest } = options;
  const sent = request({
    host: '127.0.0.1',
    port,
    path,
    servername: name ?? 'operator',
    agent: false,
    ...rest,
  });
  sent.end(body);
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const isJson = `${response.headers['content-type']}`.startsWith('application/json');
  return { status: response.statusCode, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

export const keepAliveAgent = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 });

/** A client certificate for a program, as the API server has one for its requests to aggregated APIs. */
export async function clientCertificate(
  authority: IssuedCertificate,
  commonName: string,
  { notAfter = new Date(Date.now() + 3_600_000) }: { notAfter?: Date } = {},
): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const pkcs8 = (pem: string) => Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: new X509Certificate(authority.certificatePem).subject,
    notBefore: new Date(Date.now() - 60_000),
    notAfter,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', pkcs8(authority.privateKeyPem), algorithm, false, [
      'sign',
    ]),
    extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
}
