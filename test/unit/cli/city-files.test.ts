import { describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { chartValues } from '../../../crds/chart-values.ts';
import { HUB_SECRET_NAME, secretFile, valuesFile } from '../../../operator/cli/city-files.ts';

const access = {
  city: 'porto',
  server: 'https://hub.example.org:6443',
  caData: Buffer.from('PEM').toString('base64'),
  token: 'header.payload-_.signature',
  address: 'https://porto.example.org',
};

describe('what a city is given to reach its hub', () => {
  test('values that the chart accepts, with all that was said', () => {
    const { city } = chartValues('1').parse(load(valuesFile(access)));
    expect(city).toMatchObject({
      name: 'porto',
      address: 'https://porto.example.org',
      hub: { server: access.server, caData: access.caData, token: access.token },
    });
  });

  test('no authority where the hub has a certificate that everybody trusts', () => {
    const { caData, ...trusted } = access;
    expect(valuesFile(trusted)).not.toContain('caData');
    expect(secretFile(trusted, 'aicity-system')).not.toContain('certificate-authority');
  });

  test('a Secret whose kubeconfig leads to the city, and to nothing else, on the hub', () => {
    const secret = load(secretFile(access, 'aicity-system')) as {
      metadata: object;
      stringData: { kubeconfig: string };
    };
    expect(secret.metadata).toEqual({ name: HUB_SECRET_NAME, namespace: 'aicity-system' });
    const config = new KubeConfig();
    config.loadFromString(secret.stringData.kubeconfig);
    expect(config.getCurrentCluster()).toMatchObject({ server: access.server, caData: access.caData });
    expect(config.getCurrentUser()).toMatchObject({ token: access.token });
    expect(config.getContextObject('hub')?.namespace).toBe('aicity-city-porto');
  });
});
