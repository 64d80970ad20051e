import { once } from 'node:events';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  type IssuedCertificate,
  issueServing,
  makeAuthority,
  serviceNames,
} from '../../../operator/certificates/issue.ts';
import {
  bundleOf,
  certificatesIn,
  readMaterial,
  secretDataOf,
  type TlsMaterial,
} from '../../../operator/certificates/material.ts';

const NAMES = serviceNames('aicity-operator', 'aicity');
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('certificates', () => {
  const now = new Date();
  let authority: IssuedCertificate;
  let other: IssuedCertificate;
  let material: TlsMaterial;
  beforeAll(async () => {
    authority = await makeAuthority(now);
    other = await makeAuthority(new Date(now.getTime() + 1));
    material = { authority, formerPem: [], serving: await issueServing(authority, NAMES, now) };
  });

  test('an authority may sign servers and nothing else', () => {
    const [certificate] = certificatesIn(authority.certificatePem);
    expect(certificate).toMatchObject({ ca: true });
    expect(certificate!.verify(certificate!.publicKey)).toBe(true);
    expect(certificate!.validFromDate.getTime()).toBeLessThan(now.getTime());
  });

  test('a serving certificate never outlives its authority', async () => {
    const shortLived = await makeAuthority(now, 10);
    const [authorityCertificate] = certificatesIn(shortLived.certificatePem);
    const [serving] = certificatesIn((await issueServing(shortLived, NAMES, now)).certificatePem);
    expect(serving!.validToDate).toEqual(authorityCertificate!.validToDate);
  });

  test('a client that trusts the bundle reaches the server under each of its names', async () => {
    const rolled: TlsMaterial = { ...material, authority: other, formerPem: [authority.certificatePem] };
    const server = createServer({
      cert: material.serving.certificatePem,
      key: material.serving.privateKeyPem,
    });
    server.on('request', (_, response) => response.end('hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const call = async (servername: string, ca: string) => {
      const sent = request({ host: '127.0.0.1', port, servername, ca, agent: false }).end();
      const [response] = await once(sent, 'response');
      response.resume();
      return response.statusCode;
    };
    for (const name of NAMES) await expect(call(name, bundleOf(rolled))).resolves.toBe(200);
    await expect(call('elsewhere.svc', bundleOf(rolled))).rejects.toThrow(/altnames/);
    await expect(call(NAMES[0]!, other.certificatePem)).rejects.toThrow(/certificate/);
    server.close();
  });

  test('what was written is read again', () => {
    const read = readMaterial(secretDataOf(material));
    expect(read).toMatchObject({
      ok: true,
      material,
      facts: { trustsFormer: false, serving: { signedByAuthority: true, names: NAMES } },
    });
  });

  test('after a roll the serving certificate is known to be of the former authority', () => {
    const rolled: TlsMaterial = { ...material, authority: other, formerPem: [authority.certificatePem] };
    expect(readMaterial(secretDataOf(rolled))).toMatchObject({
      ok: true,
      facts: { trustsFormer: true, serving: { signedByAuthority: false } },
    });
  });

  test.each<[string, (data: Record<string, string>) => Record<string, string> | undefined, RegExp]>([
    ['nothing', () => undefined, /ca.crt is missing/],
    ['a missing key', ({ 'tls.key': _, ...rest }) => rest, /tls.key is missing/],
    ['an empty value', (data) => ({ ...data, 'ca.key': '' }), /ca.key is missing/],
    ['no PEM', (data) => ({ ...data, 'ca.crt': base64('hello') }), /ca.crt holds no PEM certificate/],
    [
      'a broken PEM',
      (data) => ({
        ...data,
        'tls.crt': base64('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
      }),
      /tls.crt holds no PEM/,
    ],
    [
      'binary garbage',
      (data) => ({ ...data, 'ca.crt': Buffer.from([0, 255, 1]).toString('base64') }),
      /ca.crt holds no PEM/,
    ],
    [
      'a leaf as authority',
      (data) => ({ ...data, 'ca.crt': data['tls.crt']!, 'ca.key': data['tls.key']! }),
      /no authority/,
    ],
    [
      'the key of another authority',
      (data) => ({ ...data, 'ca.key': base64(other.privateKeyPem) }),
      /ca.key is not the key/,
    ],
    [
      'the key of another server',
      (data) => ({ ...data, 'tls.key': base64(other.privateKeyPem) }),
      /tls.key is not the key/,
    ],
    [
      'a foreign authority',
      (data) => ({ ...data, 'ca.crt': base64(other.certificatePem), 'ca.key': base64(other.privateKeyPem) }),
      /signed by no authority/,
    ],
  ])('refuses %s with a sentence that holds no content', (_, spoil, sentence) => {
    const read = readMaterial(spoil(secretDataOf(material)));
    if (read.ok) throw new Error('it was accepted');
    expect(read.problem).toMatch(sentence);
    expect(read.problem).not.toMatch(/PRIVATE|BEGIN/);
  });
});
