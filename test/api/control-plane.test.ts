import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import type { City } from '../region/city.ts';
import { cluster } from './cluster.ts';
import { untilKnown } from './readiness.ts';

describe('the control plane for API tests', () => {
  let city: City;
  beforeAll(async () => {
    city = await cluster();
  });

  test('answers with the version that its programs were built from', async () => {
    const goMod = readFileSync(new URL('../region/go/kube/go.mod', import.meta.url), 'utf8');
    const { gitVersion } = JSON.parse(await city.kubectl(['get', '--raw', '/version']));
    if (city.builtHere) expect(goMod).toContain(`k8s.io/kubernetes ${gitVersion}`);
    else expect(gitVersion).toMatch(/^v1\.\d+/);
  });

  test('gives credentials that other clients can read', () => {
    const config = new KubeConfig();
    config.loadFromFile(city.kubeconfigPath);
    expect(config.getCurrentCluster()?.server).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(config.getCurrentUser()?.certData).toBeTruthy();
  });

  test('accepts a custom resource definition and refuses an object that breaks its rules', async () => {
    await city.apply(lampDefinition);
    await untilKnown(city, 'lamps.test.aicity.io');
    const namespace = await city.freshNamespace();
    await city.kubectl(['apply', '-n', namespace, '-f', '-'], lamp(60));
    expect(await city.kubectl(['get', 'lamp', 'l', '-n', namespace, '-o', 'jsonpath={.spec.watts}'])).toBe(
      '60',
    );
    await expect(city.kubectl(['apply', '-n', namespace, '-f', '-'], lamp(900))).rejects.toThrow(
      'a lamp of at most 100 watts',
    );
    await city.kubectl(['delete', 'crd', 'lamps.test.aicity.io']);
  });

  test('runs the controllers: a namespace gets its default service account', async () => {
    const namespace = await city.freshNamespace();
    await city.until('the service account is there', 60, async () =>
      (await city.kubectl(['get', 'serviceaccount', 'default', '-n', namespace, '-o', 'name'])).endsWith(
        'default',
      ),
    );
  });
});

const lamp = (watts: number) => `
apiVersion: test.aicity.io/v1
kind: Lamp
metadata: {name: l}
spec: {watts: ${watts}}
`;

const lampDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.test.aicity.io}
spec:
  group: test.aicity.io
  names: {kind: Lamp, plural: lamps, singular: lamp}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              watts:
                type: integer
                x-kubernetes-validations:
                - {rule: self <= 100, message: a lamp of at most 100 watts is wanted}
`;
