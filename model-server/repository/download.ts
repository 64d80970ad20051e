/**
 * One file over HTTP: resumed where it broke off, refused when it grows beyond its bound or has another digest than it
 * must have, given up when nothing arrives any more.
 */
import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { isFileError, readableSentence } from './file-error.ts';
import { failedRequest, failureOf, type RequestHeaders, request, type Target } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { type Attempt, persistently, stallWatch, type TransferMeans } from './persistence.ts';
import { changedMeanwhile, type Failure, statusFailure } from './transfer-error.ts';

/** Bytes that one model may take, shared by all of its files. A negative number gives some back. */
export interface ByteBudget {
  /** @throws LoadError when they do not fit. */
  take(bytes: number): void;
}

export interface Download extends Target, TransferMeans {
  file: string;
  /** ETag of a copy that the caller has; when the file is still the same the answer is `unchanged`. */
  etag?: string | undefined;
  /** The address gives these bytes or none, so that a broken transfer may go on without asking whether it changed. */
  immutable?: boolean;
  /** ETag that a listing gave: the file must still have it, or the store answers 412. */
  mustMatch?: string | undefined;
  /** SHA-256 that the file must have, in hexadecimal digits. */
  sha256?: string;
  budget: ByteBudget;
}

export type Downloaded = { unchanged: true } | { unchanged: false; etag?: string };

/** An attempt that brought `received` bytes of the file so far. */
interface Partial {
  received: number;
  /** Strong validator of what was received; without one a broken transfer starts again. */
  etag?: string;
  /** Of what was received, where a digest is wanted. */
  hash: Hash;
}

/** @throws LoadError after the last attempt, or at once when trying again cannot help. */
export async function download(wanted: Download): Promise<Downloaded> {
  const partial: Partial = { received: 0, hash: createHash('sha256') };
  return persistently(wanted, async () => {
    const before = partial.received;
    const outcome = await tryOnce(wanted, partial);
    // A transfer that gets on, however haltingly, is not given up.
    return 'value' in outcome ? outcome : { ...outcome, progressed: partial.received > before };
  });
}

async function tryOnce(wanted: Download, partial: Partial): Promise<Attempt<Downloaded>> {
  const watch = stallWatch(wanted);
  const place = placeOf(wanted);
  try {
    watch.alive();
    const response = await request(wanted, conditions(wanted, partial), watch.signal);
    if (response.status === 304) {
      await response.body?.cancel();
      return { value: { unchanged: true } };
    }
    if (response.status === 416) {
      // What was received cannot be continued: begin anew.
      await response.body?.cancel();
      startAgain(wanted, partial);
      return { ...statusFailure(response.status, place), transient: true };
    }
    if (!response.ok || !response.body) return await failureOf(response, wanted);
    return await receive(wanted, partial, response, watch.alive);
  } catch (cause) {
    if (isFileError(cause)) return { error: readableSentence(cause, place), transient: false };
    return failedRequest(cause, place, watch.stalled(), wanted);
  } finally {
    watch.end();
  }
}

function placeOf({ place, url }: Download): string {
  return place ?? url;
}

/** Sent wherever a redirect leads, unlike credentials. */
function conditions(wanted: Download, partial: Partial): RequestHeaders {
  const listed: RequestHeaders = wanted.mustMatch === undefined ? {} : { 'if-match': wanted.mustMatch };
  if (partial.received > 0) {
    const range = `bytes=${partial.received}-`;
    if (isFixed(wanted)) return { ...listed, range };
    if (partial.etag) return { ...listed, range, 'if-range': partial.etag };
  }
  return wanted.etag ? { ...listed, 'if-none-match': wanted.etag } : listed;
}

function isFixed({ immutable, mustMatch }: Download): boolean {
  return immutable === true || mustMatch !== undefined;
}

async function receive(
  wanted: Download,
  partial: Partial,
  response: Response,
  alive: () => void,
): Promise<{ value: Downloaded } | Failure> {
  const etag = response.headers.get('etag') ?? undefined;
  if (isAnother(etag, wanted.mustMatch)) {
    // Not every store that speaks S3, and no cache before one, has to know If-Match.
    await response.body?.cancel();
    throw changedMeanwhile(placeOf(wanted));
  }
  const continued =
    response.status === 206 &&
    (response.headers.get('content-range') ?? '').startsWith(`bytes ${partial.received}-`);
  if (!continued) startAgain(wanted, partial);
  if (response.status === 206 && !continued) {
    await response.body?.cancel();
    const sentence = `${placeOf(wanted)} continues at another place than was asked for`;
    return { error: new LoadError('SourceUnreachable', sentence), transient: true };
  }
  if (etag?.startsWith('"')) partial.etag = etag;
  else delete partial.etag;
  const expected = response.headers.has('content-encoding')
    ? undefined
    : lengthOf(response.headers, partial.received);
  const file = await open(wanted.file, partial.received > 0 ? 'r+' : 'w');
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      alive();
      wanted.budget.take(chunk.byteLength);
      await file.writev([chunk], partial.received);
      if (wanted.sha256 !== undefined) partial.hash.update(chunk);
      partial.received += chunk.byteLength;
    }
  } catch (cause) {
    if (!resumable(wanted, partial)) startAgain(wanted, partial);
    throw cause;
  } finally {
    await file.close();
  }
  if (expected !== undefined && partial.received !== expected) {
    if (!resumable(wanted, partial)) startAgain(wanted, partial);
    const sentence = `${placeOf(wanted)} ended before its ${expected} bytes`;
    return { error: new LoadError('SourceUnreachable', sentence), transient: true };
  }
  if (wanted.sha256 !== undefined) {
    const found = partial.hash.digest('hex');
    if (found !== wanted.sha256) throw otherDigest(placeOf(wanted), wanted.sha256, found);
  }
  return { value: { unchanged: false, ...(etag === undefined ? {} : { etag }) } };
}

function isAnother(etag: string | undefined, listed: string | undefined): boolean {
  const bare = (text: string) => text.replace(/^W\//, '').replaceAll('"', '');
  return etag !== undefined && listed !== undefined && bare(etag) !== bare(listed);
}

function otherDigest(place: string, wanted: string, found: string): LoadError {
  return new LoadError(
    'DigestMismatch',
    `${place} must have the digest sha256:${wanted} and has sha256:${found}: it was damaged or exchanged, so push it again`,
  );
}

function resumable(wanted: Download, partial: Partial): boolean {
  return isFixed(wanted) || partial.etag !== undefined;
}

function startAgain(wanted: Download, partial: Partial): void {
  wanted.budget.take(-partial.received);
  partial.received = 0;
  partial.hash = createHash('sha256');
}

function lengthOf(headers: Headers, received: number): number | undefined {
  const length = headers.get('content-length');
  return length === null ? undefined : received + Number(length);
}
