import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { serviceNames } from '../../../operator/certificates/issue.ts';
import { CertificateKeeper, type ServingIdentity } from '../../../operator/certificates/keeper.ts';
import { certificatesIn } from '../../../operator/certificates/material.ts';
import { AUTHORITY_LIFE_DAYS } from '../../../operator/certificates/renewal.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { errorFromStatus } from '../../../operator/kube/errors.ts';
import type { UntypedObject } from '../../../operator/kube/objects.ts';
import type { EventNote } from '../../../operator/runtime/events.ts';
import { FakeClock } from '../runtime/fake-clock.ts';

const DAY_SECONDS = 86_400;

/** One Secret with the API server's rules for concurrent writes. */
class SecretServer {
  secret: (UntypedObject & { data?: Record<string, string> }) | undefined;
  writes = 0;
  /** So many reads fail from now on. */
  outages = 0;
  /** Runs before a write is looked at, as if another client had come first. */
  beforeWrite: () => void = () => {};

  client(): KubeClient {
    const fail = (code: number, reason: string) => errorFromStatus(code, { reason, message: reason }, 'test');
    return {
      get: async () => {
        if (this.outages-- > 0) throw fail(503, 'ServiceUnavailable');
        if (!this.secret) throw fail(404, 'NotFound');
        return this.secret;
      },
      create: async (_: unknown, object: UntypedObject) => {
        this.beforeWrite();
        if (this.secret) throw fail(409, 'AlreadyExists');
        return this.store(object);
      },
      replace: async (_: unknown, object: UntypedObject) => {
        this.beforeWrite();
        const { resourceVersion } = object.metadata;
        if (resourceVersion !== this.secret?.metadata.resourceVersion) throw fail(409, 'Conflict');
        return this.store(object);
      },
    } as unknown as KubeClient;
  }

  store(object: UntypedObject) {
    this.writes += 1;
    this.secret = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.writes) } };
    return this.secret;
  }
}

describe('CertificateKeeper', () => {
  let server: SecretServer;
  let clock: FakeClock;
  let log: string;
  let events: EventNote[];
  beforeEach(() => {
    server = new SecretServer();
    clock = new FakeClock();
    log = '';
    events = [];
  });

  function keeper(names = serviceNames('aicity-operator', 'aicity')): CertificateKeeper {
    const stream = new PassThrough();
    stream.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    return new CertificateKeeper({
      client: server.client(),
      clock,
      log: pino({ level: 'trace' }, stream),
      namespace: 'aicity',
      secretName: 'aicity-operator-tls',
      names,
      labels: { 'app.kubernetes.io/managed-by': 'aicity-operator' },
      events: { record: (_, note) => events.push(note), flush: async () => {} },
    });
  }
  const bundleSize = ({ current }: CertificateKeeper) => certificatesIn(current!.caBundlePem).length;

  test('a follower makes nothing and serves nothing until the leader has made certificates', async () => {
    const [leader, follower] = [keeper(), keeper()];
    await follower.look(false);
    expect(server.secret).toBeUndefined();
    await leader.look(true);
    await follower.look(false);
    expect(follower.current).toEqual(leader.current);
    expect(server.secret).toMatchObject({
      type: 'kubernetes.io/tls',
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'aicity-operator' } },
    });
  });

  test('two that make certificates at once end with the same', async () => {
    const [one, two] = [keeper(), keeper()];
    await Promise.all([one.look(true), two.look(true)]);
    expect(one.current).toEqual(two.current);
    expect(server.writes).toBe(1);
  });

  test('a renewal that another has done first is taken over', async () => {
    const [one, two] = [keeper(), keeper()];
    await one.look(true);
    clock.freeze(61 * DAY_SECONDS);
    await Promise.all([one.look(true), two.look(true)]);
    expect(one.current).toEqual(two.current);
    expect(server.writes).toBe(2);
  });

  test('nothing is written while nothing is due', async () => {
    const only = keeper();
    await only.look(true);
    await only.look(true);
    clock.freeze(59 * DAY_SECONDS);
    await only.look(true);
    expect(server.writes).toBe(1);
  });

  test('a roll of the authority goes on over the following days', async () => {
    const only = keeper();
    await only.look(true);
    const first = certificatesIn(only.current!.caBundlePem)[0]!.fingerprint256;
    // Never away for long: it looks every ten days until the authority is due.
    const dueDay = Math.ceil((AUTHORITY_LIFE_DAYS * 2) / 3);
    for (let day = 0; day < dueDay; day += 10) {
      clock.freeze(10 * DAY_SECONDS);
      await only.look(true);
      if (bundleSize(only) === 2) break;
    }
    const signerOf = ({ current }: CertificateKeeper) => {
      const [serving] = certificatesIn(current!.certificatePem);
      return certificatesIn(current!.caBundlePem).find((ca) => serving!.verify(ca.publicKey))!.fingerprint256;
    };
    expect(bundleSize(only)).toBe(2);
    expect(signerOf(only)).toBe(first);
    clock.freeze(1.1 * DAY_SECONDS);
    await only.look(true);
    expect(signerOf(only)).not.toBe(first);
    expect(bundleSize(only)).toBe(2);
    clock.freeze(50 * DAY_SECONDS);
    await only.look(true);
    clock.freeze(45 * DAY_SECONDS);
    await only.look(true);
    expect(bundleSize(only)).toBe(1);
  });

  test('after years away everything is made anew', async () => {
    const only = keeper();
    await only.look(true);
    const before = only.current;
    clock.freeze((AUTHORITY_LIFE_DAYS + 1) * DAY_SECONDS);
    await only.look(true);
    expect(only.current?.caBundlePem).not.toBe(before?.caBundlePem);
    expect(bundleSize(only)).toBe(1);
  });

  test('a spoilt Secret is complained of once, and only the leader makes it anew', async () => {
    const [leader, follower] = [keeper(), keeper()];
    await leader.look(true);
    await follower.look(false);
    const before = follower.current;
    server.store({ ...server.secret!, data: { ...server.secret!.data, 'tls.key': 'bm8=' } });
    await follower.look(false);
    await follower.look(false);
    expect(follower.current).toBe(before);
    expect(events).toHaveLength(1);
    await leader.look(true);
    await follower.look(false);
    expect(leader.current?.caBundlePem).not.toBe(before?.caBundlePem);
    expect(follower.current).toEqual(leader.current);
    expect(events.at(-1)).toMatchObject({ type: 'Warning', reason: 'CertificatesUnusable' });
    expect(events.at(-1)?.note).toContain('tls.key is not the key of tls.crt');
  });

  test('a Secret that is deleted during a renewal is made again', async () => {
    const only = keeper();
    await only.look(true);
    clock.freeze(61 * DAY_SECONDS);
    server.beforeWrite = () => {
      server.secret = undefined;
      server.beforeWrite = () => {};
    };
    await only.look(true);
    expect(server.secret).toBeDefined();
    expect(bundleSize(only)).toBe(1);
  });

  test('a renamed Service gets a certificate from the same authority', async () => {
    await keeper().look(true);
    const renamed = keeper(serviceNames('city-operator', 'aicity'));
    const before = await (async () => {
      const reader = keeper();
      await reader.look(false);
      return reader.current!;
    })();
    await renamed.look(true);
    expect(renamed.current!.caBundlePem).toBe(before.caBundlePem);
    expect(certificatesIn(renamed.current!.certificatePem)[0]!.subjectAltName).toContain(
      'DNS:city-operator.aicity.svc',
    );
  });

  test('listeners hear of certificates that are there already and of each change', async () => {
    const only = keeper();
    const heard: ServingIdentity[] = [];
    only.onChange((identity) => heard.push(identity));
    await only.look(true);
    await only.look(true);
    const end = only.onChange((identity) => heard.push(identity));
    expect(heard).toHaveLength(2);
    clock.freeze(61 * DAY_SECONDS);
    end();
    await only.look(true);
    expect(heard).toHaveLength(3);
  });

  test('run looks again soon after a failure and ends with its signal', async () => {
    const only = keeper();
    const stop = new AbortController();
    server.outages = 2;
    const running = only.run(stop.signal, () => true);
    await clock.advance(1);
    expect(only.current).toBeUndefined();
    // Keys are made off the event loop, so the clock alone does not say when they are there.
    const made = new Promise((resolve) => only.onChange(resolve));
    await clock.advance(5);
    await made;
    stop.abort();
    await running;
    expect(log).toContain('certificates could not be looked after, trying again');
  });

  test('no log line and no event holds a private key', async () => {
    const only = keeper();
    await only.look(true);
    server.store({
      ...server.secret!,
      data: { ...server.secret!.data, 'ca.key': server.secret!.data!['tls.key']! },
    });
    await only.look(true);
    const keys = ['ca.key', 'tls.key'].map((key) => server.secret!.data![key]!);
    for (const key of keys) {
      const body = Buffer.from(key, 'base64').toString().split('\n')[1]!;
      expect(log + JSON.stringify(events)).not.toContain(body);
      expect(log + JSON.stringify(events)).not.toContain(key);
    }
    expect(log).toContain('certificates written');
    expect(log).not.toMatch(/PRIVATE KEY/);
  });
});
