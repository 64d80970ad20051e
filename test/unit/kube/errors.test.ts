import { expect, test } from '@jest/globals';
import { errorFromStatus, isKubeError } from '../../../operator/kube/errors.ts';

test.each([
  [400, 'BadRequest', 'terminal'],
  [401, 'Unauthorized', 'retry'],
  [403, 'Forbidden', 'retry'],
  [404, 'NotFound', 'notFound'],
  [405, 'MethodNotAllowed', 'terminal'],
  [409, 'Conflict', 'conflict'],
  [409, 'AlreadyExists', 'conflict'],
  [410, 'Expired', 'retry'],
  [413, 'RequestEntityTooLarge', 'terminal'],
  [415, 'UnsupportedMediaType', 'terminal'],
  [422, 'Invalid', 'terminal'],
  [429, 'TooManyRequests', 'retry'],
  [500, 'InternalError', 'retry'],
  [503, 'ServiceUnavailable', 'retry'],
  [504, 'Timeout', 'retry'],
])('%i %s is %s', (code, reason, kind) => {
  expect(errorFromStatus(code, { reason, message: 'because' }, 'GET /x')).toMatchObject({
    kind,
    status: code,
    reason,
    message: `GET /x: because (HTTP ${code})`,
  });
});

test('an apply with an unknown field is answered 500, yet only the sender can mend it', () => {
  const message =
    'failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.x: field not declared';
  expect(errorFromStatus(500, { message }, 'PATCH /x').kind).toBe('terminal');
});

test('an answer without a word still makes a sentence', () => {
  const error = errorFromStatus(502, {}, 'GET /x');
  expect(error).toMatchObject({
    reason: 'HTTP502',
    message: 'GET /x: the API server gave no reason (HTTP 502)',
  });
  expect(isKubeError(error, 'retry')).toBe(true);
  expect(isKubeError(error, 'conflict')).toBe(false);
  expect(isKubeError(new Error('other'))).toBe(false);
});

test('the wait comes from the header, else from the details', () => {
  const body = { details: { retryAfterSeconds: 3 } };
  expect(errorFromStatus(429, body, 'GET /x', 7).retryAfterSeconds).toBe(7);
  expect(errorFromStatus(429, body, 'GET /x').retryAfterSeconds).toBe(3);
});
