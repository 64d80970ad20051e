import { describe, expect, test } from '@jest/globals';
import { readConfig } from '../../../operator/config.ts';

const complete = {
  AICITY_OPERATOR_NAMESPACE: 'aicity-system',
  AICITY_POD_NAME: 'operator-1',
  AICITY_POD_IP: '10.0.0.5',
  AICITY_MODEL_SERVER_IMAGE: 'm:1',
  AICITY_MODEL_SERVER_GPU_IMAGE: 'g:1',
};

test('what the chart sets, and defaults for the rest', () => {
  expect(readConfig(complete)).toMatchObject({
    namespace: 'aicity-system',
    podName: 'operator-1',
    podIp: '10.0.0.5',
    serviceName: 'aicity-operator',
    modelServerImage: 'm:1',
    modelServerGpuImage: 'g:1',
    imagePullPolicy: 'IfNotPresent',
    imagePullSecrets: [],
    metricsAdapter: true,
    logLevel: 'info',
    tlsPort: 9443,
    healthPort: 8081,
    metricsPort: 8080,
  });
  const chosen = {
    ...complete,
    AICITY_IMAGE_PULL_SECRETS: 'a, b,',
    AICITY_METRICS_ADAPTER: 'disabled',
    AICITY_LOG_LEVEL: 'debug',
    AICITY_IMAGE_PULL_POLICY: 'Always',
    AICITY_TLS_PORT: '19443',
    AICITY_HEALTH_PORT: '18081',
    AICITY_METRICS_PORT: '18080',
  };
  expect(readConfig(chosen)).toMatchObject({
    imagePullSecrets: ['a', 'b'],
    metricsAdapter: false,
    logLevel: 'debug',
    imagePullPolicy: 'Always',
    tlsPort: 19443,
    healthPort: 18081,
    metricsPort: 18080,
  });
});

test('neither hub nor city unless told', () => {
  expect(readConfig(complete).hub).toBe(false);
  expect(readConfig(complete)).not.toHaveProperty('city');
  expect(readConfig(complete)).not.toHaveProperty('operatorVersion');
});

test('hub and city at once', () => {
  const both = {
    ...complete,
    AICITY_HUB: 'enabled',
    AICITY_CITY_NAME: 'porto',
    AICITY_HUB_KUBECONFIG: '/etc/aicity/hub/kubeconfig',
    AICITY_CITY_ADDRESS: 'https://porto.example.org',
    AICITY_CITY_ENDPOINT_TEMPLATE: '',
    AICITY_VERSION: '0.1.0',
  };
  expect(readConfig(both)).toMatchObject({ hub: true, operatorVersion: '0.1.0' });
  expect(readConfig(both).city).toEqual({
    name: 'porto',
    hubKubeconfig: '/etc/aicity/hub/kubeconfig',
    address: 'https://porto.example.org',
  });
});

describe('refused with the name of the variable', () => {
  test.each([
    ['AICITY_OPERATOR_NAMESPACE', '', /^AICITY_OPERATOR_NAMESPACE is not set/],
    ['AICITY_POD_IP', undefined, /^AICITY_POD_IP is not set/],
    ['AICITY_IMAGE_PULL_POLICY', 'Sometimes', /is "Sometimes"; expected one of Always, IfNotPresent, Never/],
    ['AICITY_METRICS_ADAPTER', 'true', /is "true"; expected one of enabled, disabled/],
    ['AICITY_HUB', 'yes', /is "yes"; expected one of enabled, disabled/],
    ['AICITY_CITY_NAME', 'Porto', /is "Porto"; expected at most 50 lower-case letters/],
    ['AICITY_CITY_NAME', 'porto', /is set without AICITY_HUB_KUBECONFIG/],
    ['AICITY_HUB_KUBECONFIG', '/hub', /is set without AICITY_CITY_NAME/],
    ['AICITY_TLS_PORT', 'https', /is "https"; expected a port, 1 to 65535/],
    ['AICITY_METRICS_PORT', '65536', /is "65536"; expected a port/],
    ['AICITY_LOG_LEVEL', 'loud', /is "loud"; expected one of fatal/],
  ])('%s', (name, value, sentence) => {
    expect(() => readConfig({ ...complete, [name]: value })).toThrow(sentence);
  });
});
