/**
 * Buckets of S3 and of stores that speak its protocol (https://docs.aws.amazon.com/AmazonS3/latest/API/), addressed by
 * path, since not every store has a host name for each bucket. Requests are signed as Signature Version 4.
 */
import { AwsV4Signer } from 'aws4fetch';
import { type AwsAccess, type AwsContext, awsAccess } from './aws-access.ts';
import type { Bucket, Listing } from './bucket-source.ts';
import { type RequestHeaders, requestText, type Target } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { s3Failure } from './s3-error.ts';
import { element, elements } from './s3-xml.ts';

export function s3Bucket(name: string, context: AwsContext): Bucket {
  const access = () => awsAccess(context);
  /** @param tail what follows the bucket in the address. */
  const target = ({ endpoint }: AwsAccess, key: string, tail: string): Target => {
    const place = placeOf(name, key, endpoint);
    return {
      url: `${endpoint}/${name}${tail}`,
      place,
      // Keys are looked at again for each request: a long transfer outlives temporary ones.
      authorize: async (url) => signature(url, await access()),
      explain: async (response) => s3Failure(response, name, place, await access()),
    };
  };
  return {
    place: async (key) => placeOf(name, key, (await access()).endpoint),
    async list(prefix, deep) {
      const listing: Listing = { objects: [], prefixes: [] };
      const found = await access();
      for (let token: string | undefined; ; ) {
        const query = {
          'list-type': '2',
          'encoding-type': 'url',
          ...(deep ? {} : { delimiter: '/' }),
          prefix,
          ...(token === undefined ? {} : { 'continuation-token': token }),
        };
        const { text } = await requestText(target(found, prefix, queryOf(query)), context);
        const page = parseListing(text, placeOf(name, prefix, found.endpoint));
        listing.objects.push(...page.objects);
        listing.prefixes.push(...page.prefixes);
        const enough = listing.objects.length + listing.prefixes.length > MAX_FILES;
        if (page.next === undefined || page.next === token || enough) return listing;
        token = page.next;
      }
    },
    async part(object) {
      const request = target(await access(), object.key, `/${encodedPath(object.key)}`);
      return 'validator' in object ? { ...request, mustMatch: object.validator } : request;
    },
  };
}

function placeOf(bucket: string, key: string, endpoint: string): string {
  return `s3://${bucket}/${key} (at ${endpoint})`;
}

function encodedPath(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}

/** `URLSearchParams` writes a space as +, which signatures do not. */
function queryOf(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `?${pairs.join('&')}`;
}

/** The signature covers the address and the host, and no header that a proxy may change. */
async function signature(url: URL, { keys, region }: AwsAccess): Promise<RequestHeaders> {
  if (keys === undefined) return {};
  const signed = await new AwsV4Signer({
    ...keys,
    url: url.href,
    method: 'GET',
    service: 's3',
    region,
  }).sign();
  return Object.fromEntries(signed.headers);
}

/**
 * One page of ListObjectsV2. With `encoding-type=url` names come percent-encoded, since XML cannot hold all characters;
 * a store that does not know that says nothing of it and sends text.
 * @throws LoadError FormatUnknown when the answer is no such page.
 */
export function parseListing(xml: string, place: string): Listing & { next?: string } {
  if (!/<ListBucketResult[\s>]/.test(xml)) {
    throw new LoadError(
      'FormatUnknown',
      `${place} answers a listing with something else: AWS_ENDPOINT_URL must be the address of an S3 API, not of a console`,
    );
  }
  const encoded = element(xml, 'EncodingType') === 'url';
  const name = (text: string) => (encoded ? decodeURIComponent(text.replaceAll('+', ' ')) : text);
  const objects = elements(xml, 'Contents').map((entry) => ({
    key: name(element(entry, 'Key') ?? ''),
    validator: element(entry, 'ETag') ?? '',
  }));
  const prefixes = elements(xml, 'CommonPrefixes').map((entry) => name(element(entry, 'Prefix') ?? ''));
  const next = element(xml, 'NextContinuationToken');
  const more = element(xml, 'IsTruncated') === 'true' && next !== undefined;
  return { objects, prefixes, ...(more ? { next } : {}) };
}
