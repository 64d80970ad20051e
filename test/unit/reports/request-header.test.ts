import { describe, expect, test } from '@jest/globals';
import { requestHeaderConfigIn, userBehind } from '../../../operator/reports/metrics-api/request-header.ts';

/** As kube-apiserver writes it. */
const data = {
  'client-ca-file': 'PEM of the cluster',
  'requestheader-client-ca-file': 'PEM of the front proxy',
  'requestheader-allowed-names': '["front-proxy-client"]',
  'requestheader-username-headers': '["X-Remote-User"]',
  'requestheader-uid-headers': '["X-Remote-Uid"]',
  'requestheader-group-headers': '["X-Remote-Group"]',
  'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
};
const config = requestHeaderConfigIn(data)!;
const proxy = { commonName: 'front-proxy-client' };
const headers = {
  'x-remote-user': ['system:serviceaccount:kube-system:horizontal-pod-autoscaler'],
  'x-remote-group': ['system:serviceaccounts', 'system:authenticated'],
  'x-remote-extra-scopes.example%2fa': ['one', 'two'],
  host: ['operator'],
};

describe('requestHeaderConfigIn', () => {
  test('reads what kube-apiserver writes', () => {
    expect(config).toEqual({
      clientAuthorityPem: 'PEM of the front proxy',
      allowedNames: ['front-proxy-client'],
      usernameHeaders: ['x-remote-user'],
      uidHeaders: ['x-remote-uid'],
      groupHeaders: ['x-remote-group'],
      extraHeaderPrefixes: ['x-remote-extra-'],
    });
  });

  test('finds nothing where the cluster has no aggregation layer', () => {
    expect(requestHeaderConfigIn(undefined)).toBeUndefined();
    expect(requestHeaderConfigIn({ 'client-ca-file': 'PEM' })).toBeUndefined();
  });

  test.each(['{', '"X-Remote-User"', '[1]', 'null'])('refuses %p with a sentence', (text) => {
    expect(() => requestHeaderConfigIn({ ...data, 'requestheader-username-headers': text })).toThrow(
      'requestheader-username-headers in ConfigMap kube-system/extension-apiserver-authentication is no JSON list of strings',
    );
  });
});

describe('userBehind', () => {
  test('is whom the API server names', () => {
    expect(userBehind(config, proxy, { ...headers, 'x-remote-uid': ['u-1'] })).toEqual({
      username: 'system:serviceaccount:kube-system:horizontal-pod-autoscaler',
      uid: 'u-1',
      groups: ['system:serviceaccounts', 'system:authenticated'],
      extra: { 'scopes.example/a': ['one', 'two'] },
    });
  });

  test.each<[string, Parameters<typeof userBehind>]>([
    ['nothing is known of the cluster', [undefined, proxy, headers]],
    ['no certificate', [config, undefined, headers]],
    ['the certificate of another program', [config, { commonName: 'kubelet' }, headers]],
    ['no name', [config, proxy, { host: ['operator'] }]],
    ['an empty name', [config, proxy, { ...headers, 'x-remote-user': [''] }]],
  ])('is nobody: %s', (_, parameters) => expect(userBehind(...parameters)).toBeUndefined());

  test('any name of a certificate will do when the cluster lists none', () => {
    expect(userBehind({ ...config, allowedNames: [] }, { commonName: 'x' }, headers)).toBeDefined();
  });

  test('a key that is no percent-encoding is taken as it is', () => {
    expect(userBehind(config, proxy, { ...headers, 'x-remote-extra-50%': ['a'] })?.extra).toMatchObject({
      '50%': ['a'],
    });
  });
});
