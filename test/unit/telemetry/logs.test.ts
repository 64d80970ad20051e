import { expect, test } from '@jest/globals';
import { createLogger, redactText } from '../../../operator/telemetry/logs.ts';

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger({ destination: { write: (line: string) => void lines.push(line) } }));
  return lines.join('');
}

test('a line has a time, a level by name, the message and the fields', () => {
  const line = JSON.parse(logged((log) => log.info({ key: 'city/traffic' }, 'reconciled')));
  expect(line).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    key: 'city/traffic',
    msg: 'reconciled',
  });
});

test('an error keeps its kind, message and cause', () => {
  const line = JSON.parse(logged((log) => log.error({ err: new TypeError('no spec') }, 'panicked')));
  expect(line.err).toMatchObject({ type: 'TypeError', message: 'no spec' });
});

test('fields that hold secrets are taken out by name, also inside other fields', () => {
  const text = logged((log) =>
    log.info(
      { token: 'abc', headers: { authorization: 'xyz' }, a: { b: { password: 'pqr' } }, name: 'kept' },
      'm',
    ),
  );
  for (const secret of ['abc', 'xyz', 'pqr']) expect(text).not.toContain(secret);
  expect(text).toContain('kept');
});

const jwt = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl';
test.each([
  ['a bearer token', 'refused: Authorization: Bearer abcdefgh12345', 'abcdefgh12345'],
  ['a JSON web token', `the token ${jwt} has expired`, jwt],
  ['a password in a URL', 'GET https://user:hunter2@models.example/x failed', 'hunter2'],
  ['a signed address', 'https://s3/x?a=1&X-Amz-Signature=deadbeef&b=2 answered 403', 'deadbeef'],
  ['a private key', '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----', 'MHcCAQEE'],
])('%s inside a text is taken out', (_, text, secret) => {
  expect(redactText(text)).not.toContain(secret);
  expect(redactText(text)).toContain('[redacted]');
  const line = logged((log) => log.error({ err: new Error(text) }, 'failed'));
  expect(line).not.toContain(secret);
  expect(() => JSON.parse(line)).not.toThrow();
});

test('what is no secret stays as it is', () => {
  const text =
    '{"msg":"reconciled","uri":"https://models.example/traffic?version=3","note":"ask user@city.example","time":"12:30:00"}';
  expect(redactText(text)).toBe(text);
});
