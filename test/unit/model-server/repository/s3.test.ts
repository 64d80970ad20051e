import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../../model-server/clock.ts';
import { type AwsAccess, awsAccess } from '../../../../model-server/repository/aws-access.ts';
import { sourceCredentials } from '../../../../model-server/repository/credentials.ts';
import { parseListing, s3Bucket } from '../../../../model-server/repository/s3.ts';
import { s3Failure } from '../../../../model-server/repository/s3-error.ts';
import { TemporaryKeys } from '../../../../model-server/repository/temporary.ts';
import {
  expectedDigest,
  limits,
  type Origin,
  prefixed,
  repositoryIn,
  sha256,
  startOrigin,
  temporaryDirectory,
  tfjsModel,
} from './origin.ts';

const page = (inside: string) =>
  `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inside}</ListBucketResult>`;

describe('a page of a listing', () => {
  test.each<[string, string, object]>([
    ['empty', page('<KeyCount>0</KeyCount>'), { objects: [], prefixes: [] }],
    [
      'encoded names, more to come',
      page(
        '<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>a+/=</NextContinuationToken>' +
          '<Contents><Key>m/a+b%2B%C3%A9</Key><ETag>&quot;1-2&quot;</ETag></Contents>' +
          '<CommonPrefixes><Prefix>m/3/</Prefix></CommonPrefixes>',
      ),
      { objects: [{ key: 'm/a b+é', validator: '"1-2"' }], prefixes: ['m/3/'], next: 'a+/=' },
    ],
    [
      'names as text, the last page',
      page(
        '<IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>' +
          '<Contents><Key>a+b&amp;lt;&#x41;&#66;</Key><ETag>"1"</ETag></Contents>',
      ),
      { objects: [{ key: 'a+b&lt;AB', validator: '"1"' }], prefixes: [] },
    ],
  ])('%s', (_what, xml, listing) => expect(parseListing(xml, 's3://b/')).toEqual(listing));

  test.each(['', '<html>', '{"a": 1}'])('is not %p', (text) => {
    expect(() => parseListing(text, 's3://b/')).toThrow(/AWS_ENDPOINT_URL must be the address of an S3 API/);
  });
});

describe("a store's refusal", () => {
  const access: AwsAccess = {
    keys: { accessKeyId: 'k', secretAccessKey: 'never shown' },
    origin: 'the Secret "store"',
    region: 'us-east-1',
    endpoint: 'https://s3.example',
  };
  test.each<[string, number, string, RegExp, boolean?]>([
    ['NoSuchBucket', 404, 'SourceNotFound', /no bucket models at https:..s3.example.*correct spec.model.uri/],
    ['NoSuchKey', 404, 'SourceNotFound', /no object PLACE/],
    ['InvalidAccessKeyId', 403, 'AccessDenied', /does not know the access key from the Secret "store"/],
    ['SignatureDoesNotMatch', 403, 'AccessDenied', /correct AWS_SECRET_ACCESS_KEY/],
    ['ExpiredToken', 400, 'AccessDenied', /no longer valid.*renew.*AWS_SESSION_TOKEN together/],
    ['InvalidToken', 400, 'AccessDenied', /not valid.*AWS_SESSION_TOKEN/],
    ['RequestTimeTooSkewed', 403, 'AccessDenied', /set the node's clock/],
    ['AccessDenied', 403, 'AccessDenied', /answers 403 \(AccessDenied\): .*s3:ListBucket and s3:GetObject/],
    ['PermanentRedirect', 301, 'AccessDenied', /lies in the region eu-west-1.*set AWS_REGION to eu-west-1/],
    ['AuthorizationHeaderMalformed', 400, 'AccessDenied', /set AWS_REGION to eu-west-1/],
    ['PreconditionFailed', 412, 'ModelInvalid', /changed while the model was fetched/],
    ['InvalidObjectState', 403, 'ModelInvalid', /archived.*restore/],
    ['SlowDown', 503, 'SourceUnreachable', /answers 503 \(SlowDown\)/, true],
    ['InternalError', 500, 'SourceUnreachable', /answers 500/, true],
  ])('%s', async (code, status, reason, sentence, transient = false) => {
    const body = `<Error><Code>${code}</Code><Region>eu-west-1</Region></Error>`;
    const failure = await s3Failure(new Response(body, { status }), 'models', 'PLACE', access);
    expect(failure).toMatchObject({ transient, error: { reason } });
    expect(failure.error.message).toMatch(sentence);
    expect(failure.error.message).not.toContain('never shown');
  });

  test('of a request without keys', async () => {
    const { keys: _, ...anonymous } = access;
    const { error } = await s3Failure(new Response('', { status: 403 }), 'models', 'PLACE', anonymous);
    expect(error.message).toMatch(/asked without credentials.*spec.model.credentialsSecretRef/);
  });
});

describe('a file that is listed', () => {
  let store: Origin;
  let elsewhere: Origin;
  let home: string;
  beforeEach(async () => {
    store = await startOrigin({});
    elsewhere = await startOrigin(prefixed('models/one', tfjsModel));
    home = await temporaryDirectory();
  });
  afterEach(async () => {
    await Promise.all([store.close(), elsewhere.close()]);
    await rm(home, { recursive: true });
  });

  /** A store that lists the files with their ETags and keeps them in another place. */
  function listing(etagOf: (content: string | Uint8Array) => string): NonNullable<Origin['misbehave']> {
    const contents = Object.entries(tfjsModel).map(
      ([path, content]) => `<Contents><Key>one/${path}</Key><ETag>${etagOf(content)}</ETag></Contents>`,
    );
    return ({ url = '' }, response) => {
      if (url.includes('list-type')) return !!response.end(page(contents.join('')));
      return !!response.writeHead(307, { location: `${elsewhere.url}${url}` }).end();
    };
  }
  const fetchOne = async () => {
    const repository = await repositoryIn(home, undefined, {
      credentials: { variables: { AWS_ENDPOINT_URL: store.url } },
    });
    return repository.fetch({ uri: 's3://models/one' }, () => {}, new AbortController().signal);
  };
  const etag = (content: string | Uint8Array) => `"${sha256(content).slice(0, 8)}"`;

  test('is asked for as it was listed, wherever a redirect leads', async () => {
    const asked: unknown[] = [];
    store.misbehave = listing(etag);
    elsewhere.misbehave = ({ headers }) => {
      asked.push(headers['if-match']);
      return false;
    };
    expect(await fetchOne()).toMatchObject({ digest: expectedDigest(tfjsModel) });
    expect(asked.sort()).toEqual(Object.values(tfjsModel).map(etag).sort());
  });

  test('and has another ETag is another file, also in a store that does not know If-Match', async () => {
    store.misbehave = listing(() => '"older"');
    await expect(fetchOne()).rejects.toMatchObject({
      reason: 'ModelInvalid',
      pace: 'soon',
      message: expect.stringMatching(/changed while the model was fetched/),
    });
  });

  test.each(['W/"%"', '%'])('may write its ETag as %s', async (form) => {
    store.misbehave = listing((content) => form.replace('%', sha256(content).slice(0, 8)));
    expect(await fetchOne()).toMatchObject({ cached: true });
  });
});

describe('temporary credentials', () => {
  let origin: Origin;
  let home: string;
  beforeEach(async () => {
    origin = await startOrigin({});
    home = await temporaryDirectory();
  });
  afterEach(async () => {
    await origin.close();
    await rm(home, { recursive: true });
  });
  const inOneHour = () => new Date(Date.now() + 3_600_000).toISOString();
  const contextOf = (variables: Record<string, string>) => ({
    credentials: sourceCredentials({ variables }),
    awsKeys: new TemporaryKeys<never>(systemClock) as never,
    ...{ limits, clock: systemClock, signal: new AbortController().signal },
  });
  const lent = { accessKeyId: 'ASIA', secretAccessKey: 'lent', sessionToken: 'token' };

  test('are sent with their session token, which is signed', async () => {
    let sent: Record<string, unknown> = {};
    origin.misbehave = ({ headers }, response) => {
      sent = headers;
      return !!response.end(page(''));
    };
    const keys = { AWS_ACCESS_KEY_ID: 'ASIA', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 'token' };
    const context = contextOf({ ...keys, AWS_ENDPOINT_URL: origin.url, AWS_REGION: 'eu-north-1' });
    await s3Bucket('models', context).list('m/', false);
    expect(sent['x-amz-security-token']).toBe('token');
    expect(sent['authorization']).toMatch(
      /Credential=ASIA\/\d{8}\/eu-north-1\/s3\/aws4_request, SignedHeaders=host;.*x-amz-security-token/,
    );
  });

  test('are lent for a web identity, once an hour', async () => {
    let asked = 0;
    origin.misbehave = (request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const form = new URLSearchParams(body);
        expect(Object.fromEntries(form)).toMatchObject({
          Action: 'AssumeRoleWithWebIdentity',
          RoleArn: 'arn:aws:iam::1:role/reader',
          WebIdentityToken: 'identity',
        });
        asked++;
        response.end(
          `<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>lent</SecretAccessKey><SessionToken>token</SessionToken><Expiration>${inOneHour()}</Expiration></Credentials></AssumeRoleWithWebIdentityResponse>`,
        );
      });
      return true;
    };
    await writeFile(join(home, 'identity'), 'identity\n');
    const context = contextOf({
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/reader',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'identity'),
      AWS_ENDPOINT_URL_STS: origin.url,
      AWS_REGION: 'cn-north-1',
    });
    for (const _time of [1, 2])
      expect(await awsAccess(context)).toMatchObject({
        keys: lent,
        endpoint: 'https://s3.cn-north-1.amazonaws.com.cn',
      });
    expect(asked).toBe(1);
  });

  test('refused for a web identity, with the code', async () => {
    origin.misbehave = (_request, response) =>
      !!response
        .writeHead(403)
        .end('<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>');
    await writeFile(join(home, 'identity'), 'identity');
    const variables = { AWS_ROLE_ARN: 'arn:x', AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'identity') };
    await expect(
      awsAccess(contextOf({ ...variables, AWS_ENDPOINT_URL_STS: origin.url })),
    ).rejects.toMatchObject({
      reason: 'AccessDenied',
      message: expect.stringMatching(/arn:x.*\(AccessDenied\): let its trust policy name/),
    });
    await expect(
      awsAccess(contextOf({ ...variables, AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'none') })),
    ).rejects.toThrow(/AWS_WEB_IDENTITY_TOKEN_FILE names cannot be read \(ENOENT\)/);
  });

  test('are lent by EKS Pod Identity, with its token', async () => {
    let authorization: string | undefined;
    origin.misbehave = ({ headers }, response) => {
      authorization = headers.authorization;
      const answer = {
        AccessKeyId: 'ASIA',
        SecretAccessKey: 'lent',
        Token: 'token',
        Expiration: inOneHour(),
      };
      return !!response.end(JSON.stringify(answer));
    };
    await writeFile(join(home, 'pod'), 'pod token');
    const context = contextOf({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${origin.url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(home, 'pod'),
    });
    expect(await awsAccess(context)).toMatchObject({ keys: lent, origin: 'EKS Pod Identity' });
    expect(authorization).toBe('pod token');
  });
});
