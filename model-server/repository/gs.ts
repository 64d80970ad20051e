/**
 * Buckets of Google Cloud Storage over its JSON API (https://cloud.google.com/storage/docs/json_api/v1/objects).
 * An object's generation names its content, so every file is fetched as it was listed.
 */
import * as z from 'zod';
import type { Bucket, Listing, StoredObject } from './bucket-source.ts';
import { type GoogleContext, googleAccess } from './google-access.ts';
import { type RequestHeaders, requestText, type Target } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { type Failure, statusFailure } from './transfer-error.ts';

const Page = z.object({
  items: z
    .array(z.object({ name: z.string(), generation: z.string(), md5Hash: z.string().optional() }))
    .optional(),
  prefixes: z.array(z.string()).optional(),
  nextPageToken: z.string().optional(),
});

interface GsObject extends StoredObject {
  generation: string;
}

export function gsBucket(name: string, context: GoogleContext): Bucket {
  const target = async (key: string, path: (endpoint: string) => string): Promise<Target> => {
    const { endpoint } = await googleAccess(context);
    const place = placeOf(name, key);
    return {
      url: path(endpoint),
      place,
      // A token is asked for again for each request: a long transfer outlives it.
      authorize: async (): Promise<RequestHeaders> => {
        const { token } = await googleAccess(context);
        return token === undefined ? {} : { authorization: `Bearer ${token}` };
      },
      explain: async (response) => {
        await response.body?.cancel();
        return failureOf(response.status, name, place, await googleAccess(context));
      },
    };
  };
  return {
    place: async (key) => placeOf(name, key),
    async list(prefix, deep) {
      const listing: Listing = { objects: [], prefixes: [] };
      for (let token: string | undefined; ; ) {
        const query = new URLSearchParams({
          prefix,
          fields: 'items(name,generation,md5Hash),prefixes,nextPageToken',
          ...(deep ? {} : { delimiter: '/' }),
          ...(token === undefined ? {} : { pageToken: token }),
        });
        const request = await target(prefix, (endpoint) => `${endpoint}/storage/v1/b/${name}/o?${query}`);
        const page = pageOf((await requestText(request, context)).text, placeOf(name, prefix));
        listing.objects.push(...(page.items ?? []).map(storedObject));
        listing.prefixes.push(...(page.prefixes ?? []));
        const enough = listing.objects.length + listing.prefixes.length > MAX_FILES;
        if (page.nextPageToken === undefined || page.nextPageToken === token || enough) return listing;
        token = page.nextPageToken;
      }
    },
    async part(object) {
      const generation = 'generation' in object ? `&generation=${(object as GsObject).generation}` : '';
      const key = encodeURIComponent(object.key);
      const request = await target(
        object.key,
        (endpoint) => `${endpoint}/download/storage/v1/b/${name}/o/${key}?alt=media${generation}`,
      );
      return { ...request, immutable: generation !== '' };
    },
  };
}

function placeOf(bucket: string, key: string): string {
  return `gs://${bucket}/${key}`;
}

/** Composed objects have no MD5; a generation is of one object alone, so its name goes with it. */
function storedObject({
  name,
  generation,
  md5Hash,
}: NonNullable<z.infer<typeof Page>['items']>[number]): GsObject {
  return { key: name, generation, validator: md5Hash ?? `${generation} ${name}` };
}

function pageOf(text: string, place: string): z.infer<typeof Page> {
  try {
    return Page.parse(JSON.parse(text));
  } catch {
    throw new LoadError(
      'FormatUnknown',
      `${place} answers a listing with something else than Cloud Storage does`,
    );
  }
}

function failureOf(
  status: number,
  bucket: string,
  place: string,
  { origin, token }: { origin: string; token?: string },
): Failure {
  if (status === 404) {
    const sentence = `there is no bucket ${bucket}, or no object ${place}, or it was replaced meanwhile: correct spec.model.uri`;
    return { transient: false, error: new LoadError('SourceNotFound', sentence) };
  }
  return statusFailure(
    status,
    place,
    token === undefined
      ? 'it was asked without credentials, so name a Secret with GOOGLE_APPLICATION_CREDENTIALS in spec.model.credentialsSecretRef, or let everybody read'
      : `${origin} may not read there: grant it roles/storage.objectViewer on the bucket`,
  );
}
