import { describe, expect, test } from '@jest/globals';
import { parseModelUri } from '../../../crds/model-uri.ts';

describe('a model address', () => {
  test.each([
    [
      'https://models.example/traffic/3',
      { scheme: 'https', host: 'models.example', port: 443, path: '/traffic/3' },
    ],
    [
      'http://store.models.svc:8080/traffic/',
      { scheme: 'http', host: 'store.models.svc', port: 8080, path: '/traffic' },
    ],
    ['s3://city-models/traffic/', { scheme: 's3', bucket: 'city-models', path: '/traffic' }],
    ['gs://city_models/m', { scheme: 'gs', bucket: 'city_models', path: '/m' }],
    ['s3://city.models', { scheme: 's3', bucket: 'city.models', path: '/' }],
    [
      'oci://registry.example.org/city/traffic:v1.2',
      {
        ...{ scheme: 'oci', registry: 'registry.example.org', host: 'registry.example.org', port: 443 },
        ...{ repository: 'city/traffic', tag: 'v1.2' },
      },
    ],
    [
      `oci://localhost:5000/m:1@sha256:${'a'.repeat(64)}`,
      {
        ...{ scheme: 'oci', registry: 'localhost:5000', host: 'localhost', port: 5000, repository: 'm' },
        ...{ tag: '1', digest: `sha256:${'a'.repeat(64)}` },
      },
    ],
    ['pvc://models/traffic/3', { scheme: 'pvc', claim: 'models', path: '/traffic/3' }],
    ['pvc://models', { scheme: 'pvc', claim: 'models', path: '/' }],
    ['file:///models/traffic', { scheme: 'file', path: '/models/traffic' }],
  ])('%s is taken apart', (uri, parts) => expect(parseModelUri(uri)).toEqual(parts));

  test.each([
    '',
    'traffic',
    's3://',
    's3://B/key',
    's3://key:secret@bucket/key',
    's3://bucket/key?versionId=1',
    'gs://',
    'gs://B/key',
    'oci://registry/m',
    'oci://registry:1',
    'oci://registry/M:1',
    'oci://registry/../m:1',
    'oci://registry/m@sha256:12',
    'ftp://host/x',
    'https://',
    'https://user:secret@host/x',
    'http://host/x?token=1',
    'pvc://',
    'pvc:///x',
    'file://host/x',
    'file:///',
    'http://host/a b',
  ])('%p is refused with what was expected', (uri) =>
    expect(() => parseModelUri(uri)).toThrow(/expected https:\/\/HOST\/PATH/),
  );
});
