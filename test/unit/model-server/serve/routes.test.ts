import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { routeOf } from '../../../../model-server/serve/routes.ts';

test.each([
  ['GET', '/', { kind: 'Home' }],
  ['GET', '/metrics', { kind: 'Metrics' }],
  ['HEAD', '/v2/health/ready', { kind: 'Ready' }],
  ['GET', '/v2/health/live/', { kind: 'Live' }],
  ['GET', '/v2', { kind: 'V2Server' }],
  ['GET', '/v2/models', { kind: 'V2Models' }],
  ['GET', '/v1/models', { kind: 'V1Models' }],
  ['GET', '/v1/models/m', { kind: 'Model', action: 'V1Status', model: 'm' }],
  ['GET', '/v1/models/m/versions/3', { kind: 'Model', action: 'V1Status', model: 'm', version: '3' }],
  ['GET', '/v1/models/m/metadata', { kind: 'Model', action: 'V1Metadata', model: 'm' }],
  ['POST', '/v1/models/m:predict', { kind: 'Model', action: 'V1Predict', model: 'm' }],
  [
    'POST',
    '/v1/models/m/versions/3:predict',
    { kind: 'Model', action: 'V1Predict', model: 'm', version: '3' },
  ],
  ['POST', '/v2/models/m/infer?x=1', { kind: 'Model', action: 'V2Infer', model: 'm' }],
  [
    'POST',
    '/v2/models/a%20b/versions/3/infer',
    { kind: 'Model', action: 'V2Infer', model: 'a b', version: '3' },
  ],
  ['GET', '/v2/models/m/versions/3/ready', { kind: 'Model', action: 'V2Ready', model: 'm', version: '3' }],
  ['GET', '/v2/models/m', { kind: 'Model', action: 'V2Metadata', model: 'm' }],
  ['GET', '/v2/models/m/infer', { kind: 'MethodNotAllowed', allow: 'POST', path: '/v2/models/m/infer' }],
  ['DELETE', '/v2/models/m', { kind: 'MethodNotAllowed', allow: 'GET', path: '/v2/models/m' }],
  ['POST', '/metrics', { kind: 'MethodNotAllowed', allow: 'GET', path: '/metrics' }],
  ['POST', '/v1/models/m:classify', { kind: 'Model', action: 'V1Classify', model: 'm' }],
  [
    'POST',
    '/v1/models/m/labels/stable:regress',
    { kind: 'Model', action: 'V1Regress', model: 'm', label: 'stable' },
  ],
  ['GET', '/v2/models/m/labels/a', { kind: 'Unknown', path: '/v2/models/m/labels/a' }],
  ['GET', '/v2/models/stats', { kind: 'V2AllStats' }],
  ['GET', '/v2/models/m/stats', { kind: 'Model', action: 'V2Stats', model: 'm' }],
  ['POST', '/v2/repository/index', { kind: 'RepositoryIndex' }],
  ['POST', '/v2/repository/models/m/load', { kind: 'Model', action: 'RepositoryLoad', model: 'm' }],
  [
    'GET',
    '/v2/repository/models/m/load',
    { kind: 'MethodNotAllowed', allow: 'POST', path: '/v2/repository/models/m/load' },
  ],
  ['POST', '/v1/timeseries/forecast', { kind: 'Forecast' }],
  ['POST', '/v1/models/m:explain', { kind: 'Unknown', path: '/v1/models/m:explain' }],
  ['POST', '/v2/models/m:predict', { kind: 'Unknown', path: '/v2/models/m:predict' }],
  ['POST', '/v1/models/m/predict', { kind: 'Unknown', path: '/v1/models/m/predict' }],
  ['GET', '/v2/models/%ff/ready', { kind: 'Unknown', path: '/v2/models/%ff/ready' }],
  ['GET', '/constructor', { kind: 'Unknown', path: '/constructor' }],
])('%s %s', (method, target, route) => expect(routeOf(method, target)).toEqual(route));

test('any target has a route', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom('GET', 'POST', 'PUT'), (target, method) => {
      expect(routeOf(method, target).kind).toBeTruthy();
      expect(routeOf(method, `/v1/models/${target}`).kind).toBeTruthy();
    }),
  );
});
