import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { City } from '../region/city.ts';
import { citiesAreBuiltHere } from '../region/shared-city.ts';
import { startCity } from '../region/start-city.ts';
import './city.ts';

/** Faults of one program, and slow packets, need the city image that is built here. */
const testWithLocalImage = citiesAreBuiltHere() ? test : test.skip;

describe('cities that share a network', () => {
  let lisboa: City;
  let porto: City;

  /** What lisboa hears when it asks porto's API server, as one city would another. */
  const fromLisboa = async () => {
    const curl = ['curl', '--silent', '--show-error', '--max-time', '2', '--insecure'];
    return await lisboa.exec([...curl, 'https://porto:6443/readyz']).catch((error: Error) => error.message);
  };

  beforeAll(async () => {
    lisboa = await startCity({ name: 'lisboa', light: true, wan: 'wan' });
    porto = await startCity({ name: 'porto', light: true, wan: 'wan' });
  });
  afterAll(async () => {
    await Promise.all([lisboa?.stop(), porto?.stop()]);
  });

  test('reach each other by name', async () => {
    await lisboa.until('porto answers', 60, async () => (await fromLisboa()) === 'ok');
  });

  test('are trusted by the name that they are reached by', async () => {
    const kubeconfig = await porto.readKubeconfig();
    const authority = Buffer.from(
      /certificate-authority-data: (\S+)/.exec(kubeconfig)![1]!,
      'base64',
    ).toString();
    await lisboa.exec(['sh', '-c', 'cat >/tmp/porto.crt'], authority);
    const answer = await lisboa.exec([
      'curl',
      '--silent',
      '--cacert',
      '/tmp/porto.crt',
      'https://porto:6443/readyz',
    ]);
    expect(answer).toBe('ok');
  });

  test('lose each other in a partition while this machine reaches both, and find each other after it', async () => {
    await porto.faults.partition();
    await lisboa.until('porto is cut off', 60, async () => {
      return /Could not resolve host|timed out|refused/.test(await fromLisboa());
    });
    await Promise.all([porto.untilUp(60), lisboa.untilUp(60)]);
    await porto.faults.heal();
    await lisboa.until('porto answers again', 60, async () => (await fromLisboa()) === 'ok');
  });

  test('keep their credentials valid after the death of the whole city', async () => {
    const before = await porto.readKubeconfig();
    await porto.apply('{apiVersion: v1, kind: Namespace, metadata: {name: kept}}');
    await porto.faults.kill();
    expect(await fromLisboa()).not.toBe('ok');
    await porto.faults.restart();
    expect(await porto.readKubeconfig()).toBe(before);
    expect(await porto.kubectl(['get', 'namespace', 'kept', '-o', 'name'])).toBe('namespace/kept');
    await lisboa.until('porto answers again', 60, async () => (await fromLisboa()) === 'ok');
  });

  testWithLocalImage('come back when their store dies', async () => {
    const killed = await porto.faults.processOf('etcd');
    await porto.faults.signal('etcd', 'SIGKILL');
    await porto.faults.untilStartedAgain('etcd', killed);
    await porto.untilUp(120);
    // The API server says that it is well a moment before all of its connections to the store are.
    await porto.until('what was stored is there', 60, async () => {
      return (await porto.kubectl(['get', 'namespace', 'kept', '-o', 'name'])) === 'namespace/kept';
    });
  });

  testWithLocalImage('hang, and go on, with a stopped API server', async () => {
    await porto.faults.signal('kube-apiserver', 'SIGSTOP');
    await expect(porto.kubectl(['get', '--raw', '/readyz', '--request-timeout=1s'])).rejects.toThrow();
    await porto.faults.signal('kube-apiserver', 'SIGCONT');
    await porto.untilUp(120);
  });
});
