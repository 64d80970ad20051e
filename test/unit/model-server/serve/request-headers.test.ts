import { expect, test } from '@jest/globals';
import { NORMAL, PATIENT, URGENT } from '../../../../model-server/protocol/priority.ts';
import { wishesOf } from '../../../../model-server/serve/request-headers.ts';

test.each([
  [{}, {}, { timeoutSeconds: undefined, priority: undefined }],
  [{ 'request-timeout': '0.25', priority: 'u=0' }, {}, { timeoutSeconds: 0.25, priority: URGENT }],
  [{ 'request-timeout': '2' }, { timeoutSeconds: 1 }, { timeoutSeconds: 1 }],
  [{ 'request-timeout': '2' }, { timeoutSeconds: 3 }, { timeoutSeconds: 2 }],
  [{ priority: 'u=0' }, { priority: PATIENT }, { priority: PATIENT }],
  [{ priority: 'nonsense' }, { priority: NORMAL }, { priority: NORMAL }],
])('%j and %j', (headers, body, wishes) => expect(wishesOf(headers, body)).toMatchObject(wishes));

test.each(['soon', '0', '-1', '1e3', ''])('a timeout of %j is refused', (timeout) => {
  expect(() => wishesOf({ 'request-timeout': timeout })).toThrow(/^Request-Timeout: ".*" found, a positive/);
});
