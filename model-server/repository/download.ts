/**
 * One file over HTTP: resumed where it broke off, refused when it grows beyond its bound, given up when nothing
 * arrives any more. Nothing that could be a credential ever stands in a message: a redirect may lead to a signed
 * address, so only the address that the user wrote is named.
 */
import { open } from 'node:fs/promises';
import { type Clock, sleep } from '../clock.ts';
import { isFileError, readableSentence } from './file-error.ts';
import { LoadError } from './load-error.ts';
import { type Failure, networkFailure, statusFailure } from './transfer-error.ts';

export interface DownloadLimits {
  /** Nothing received for so long ends an attempt, in seconds. */
  stallSeconds: number;
  /** Attempts in a row that bring no byte before the transfer is given up. */
  attempts: number;
  /** Pause before the second attempt, doubled before each further one up to 8 s. */
  firstPauseSeconds: number;
}

/** Bytes that one model may take, shared by all of its files. A negative number gives some back. */
export interface ByteBudget {
  /** @throws LoadError when they do not fit. */
  take(bytes: number): void;
}

export interface Download {
  url: string;
  file: string;
  /** ETag of a copy that the caller has; when the file is still the same the answer is `unchanged`. */
  etag?: string | undefined;
  budget: ByteBudget;
  limits: DownloadLimits;
  clock: Clock;
  signal: AbortSignal;
}

export type Downloaded = { unchanged: true } | { unchanged: false; etag?: string };

/** An attempt that brought `received` bytes of the file so far. */
interface Partial {
  received: number;
  /** Strong validator of what was received; without one a broken transfer starts again. */
  etag?: string;
}

const LONGEST_PAUSE_SECONDS = 8;
const MOST_REDIRECTS = 5;

/** @throws LoadError after the last attempt, or at once when trying again cannot help. */
export async function download(wanted: Download): Promise<Downloaded> {
  const partial: Partial = { received: 0 };
  for (let attempt = 1, pause = wanted.limits.firstPauseSeconds; ; attempt++) {
    const before = partial.received;
    const outcome = await tryOnce(wanted, partial);
    if ('unchanged' in outcome) return outcome;
    if (wanted.signal.aborted) throw outcome.error;
    // A transfer that gets on, however haltingly, is not given up.
    if (partial.received > before) [attempt, pause] = [1, wanted.limits.firstPauseSeconds];
    if (!outcome.transient || attempt >= wanted.limits.attempts) throw outcome.error;
    await sleep(wanted.clock, pause, wanted.signal);
    pause = Math.min(2 * pause, LONGEST_PAUSE_SECONDS);
  }
}

async function tryOnce(wanted: Download, partial: Partial): Promise<Downloaded | Failure> {
  const stall = new AbortController();
  const signal = AbortSignal.any([wanted.signal, stall.signal]);
  let cancelStall = () => {};
  const alive = () => {
    cancelStall();
    cancelStall = wanted.clock.after(wanted.limits.stallSeconds, () => stall.abort());
  };
  try {
    alive();
    const response = await request(wanted, partial, signal);
    if (response.status === 304) {
      await response.body?.cancel();
      return { unchanged: true };
    }
    if (response.status === 416) {
      // What was received cannot be continued: begin anew.
      await response.body?.cancel();
      startAgain(wanted, partial);
      return { ...statusFailure(response.status, wanted.url), transient: true };
    }
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      return statusFailure(response.status, wanted.url);
    }
    return await receive(wanted, partial, response, alive);
  } catch (cause) {
    if (cause instanceof LoadError) return { error: cause, transient: false };
    if (stall.signal.aborted) {
      const sentence = `${wanted.url} sent nothing for ${wanted.limits.stallSeconds} s`;
      return { error: new LoadError('SourceUnreachable', sentence), transient: true };
    }
    if (isFileError(cause)) return { error: readableSentence(cause, wanted.url), transient: false };
    return networkFailure(cause, wanted.url);
  } finally {
    cancelStall();
  }
}

/** Follows redirects by hand: never from https to http, and with our own headers each time. */
async function request(wanted: Download, partial: Partial, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {
    'accept-encoding': 'identity',
    'user-agent': 'aicity-model-server',
  };
  if (partial.received > 0 && partial.etag) {
    headers['range'] = `bytes=${partial.received}-`;
    headers['if-range'] = partial.etag;
  } else if (wanted.etag) headers['if-none-match'] = wanted.etag;
  let url = new URL(wanted.url);
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { headers, signal, redirect: 'manual' });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = new URL(location, url);
    if (redirects === MOST_REDIRECTS || !allowedRedirect(url, next)) {
      throw new LoadError(
        'SourceUnreachable',
        `${wanted.url} redirects ${redirects === MOST_REDIRECTS ? `more than ${MOST_REDIRECTS} times` : `to ${next.protocol}//${next.host}, which is less safe`}: give the final address`,
      );
    }
    url = next;
  }
}

function allowedRedirect(from: URL, to: URL): boolean {
  return to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');
}

async function receive(
  wanted: Download,
  partial: Partial,
  response: Response,
  alive: () => void,
): Promise<Downloaded | Failure> {
  const etag = response.headers.get('etag') ?? undefined;
  const continued =
    response.status === 206 &&
    (response.headers.get('content-range') ?? '').startsWith(`bytes ${partial.received}-`);
  if (!continued) startAgain(wanted, partial);
  if (response.status === 206 && !continued) {
    await response.body?.cancel();
    const sentence = `${wanted.url} continues at another place than was asked for`;
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
      partial.received += chunk.byteLength;
    }
  } catch (cause) {
    if (!partial.etag) startAgain(wanted, partial);
    throw cause;
  } finally {
    await file.close();
  }
  if (expected !== undefined && partial.received !== expected) {
    if (!partial.etag) startAgain(wanted, partial);
    const sentence = `${wanted.url} ended before its ${expected} bytes`;
    return { error: new LoadError('SourceUnreachable', sentence), transient: true };
  }
  return { unchanged: false, ...(etag === undefined ? {} : { etag }) };
}

function startAgain(wanted: Download, partial: Partial): void {
  wanted.budget.take(-partial.received);
  partial.received = 0;
}

function lengthOf(headers: Headers, received: number): number | undefined {
  const length = headers.get('content-length');
  return length === null ? undefined : received + Number(length);
}
