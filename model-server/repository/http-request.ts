/**
 * One request over HTTP, and short answers such as listings and manifests. Redirects are followed by hand: never from
 * https to http, and with credentials for the origin alone that they are meant for. Nothing that could be a credential
 * stands in a message: a redirect may lead to a signed address, so only what the user wrote is named.
 */
import { LoadError } from './load-error.ts';
import { persistently, stallWatch, type TransferMeans } from './persistence.ts';
import { type Failure, networkFailure, statusFailure } from './transfer-error.ts';

export type RequestHeaders = Readonly<Record<string, string>>;

/** What is asked, and how messages speak of it. */
export interface Target {
  url: string;
  /** What messages call it; absent: the url. */
  place?: string | undefined;
  /** Headers that may be credentials: for the origin of `url`, not for where it redirects to. */
  authorize?: ((url: URL) => Promise<RequestHeaders>) | undefined;
  /** What an answer other than the wanted one means. */
  explain?: ((response: Response) => Promise<Failure>) | undefined;
}

const MOST_REDIRECTS = 5;
/** More than any listing page or manifest; what is larger is no such thing. */
const MAX_TEXT_BYTES = 16 * 2 ** 20;

/** @throws LoadError for a redirect that is not followed; otherwise what `fetch` throws. */
export async function request(
  target: Target,
  headers: RequestHeaders,
  signal: AbortSignal,
  body?: URLSearchParams,
): Promise<Response> {
  const first = new URL(target.url);
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const credentials = url.origin === first.origin ? await target.authorize?.(url) : {};
    const response = await fetch(url, {
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'aicity-model-server',
        ...headers,
        ...credentials,
      },
      signal,
      redirect: 'manual',
      ...(body ? { method: 'POST', body } : {}),
    });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = new URL(location, url);
    if (redirects === MOST_REDIRECTS || !allowedRedirect(url, next)) {
      throw new LoadError(
        'SourceUnreachable',
        `${target.place ?? target.url} redirects ${redirects === MOST_REDIRECTS ? `more than ${MOST_REDIRECTS} times` : `to ${next.protocol}//${next.host}, which is less safe`}: give the final address`,
      );
    }
    url = next;
  }
}

function allowedRedirect(from: URL, to: URL): boolean {
  return to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');
}

export interface Text {
  text: string;
  headers: Headers;
}

/**
 * A short answer as text, asked for again when the way there is at fault.
 * @throws LoadError
 */
export function requestText(
  target: Target & { headers?: RequestHeaders; body?: URLSearchParams },
  means: TransferMeans,
): Promise<Text> {
  const place = target.place ?? target.url;
  return persistently<Text>(means, async () => {
    const watch = stallWatch(means);
    try {
      watch.alive();
      const response = await request(target, target.headers ?? {}, watch.signal, target.body);
      if (!response.ok) return await failureOf(response, target);
      return { value: { text: await textOf(response, place, watch.alive), headers: response.headers } };
    } catch (cause) {
      return failedRequest(cause, place, watch.stalled(), means);
    } finally {
      watch.end();
    }
  });
}

/** What an answer means that is not the wanted one; its body is read or given up. */
export async function failureOf(response: Response, { url, place, explain }: Target): Promise<Failure> {
  if (explain) return explain(response);
  await response.body?.cancel();
  return statusFailure(response.status, place ?? url);
}

/** What it means that a request threw. */
export function failedRequest(
  cause: unknown,
  place: string,
  stalled: boolean,
  { limits }: TransferMeans,
): Failure {
  if (cause instanceof LoadError) return { error: cause, transient: false };
  if (stalled) {
    const sentence = `${place} sent nothing for ${limits.stallSeconds} s`;
    return { error: new LoadError('SourceUnreachable', sentence), transient: true };
  }
  return networkFailure(cause, place);
}

/** The beginning of an answer that says what is wrong; the rest is given up. */
export async function bodyStart(response: Response, maxBytes = 64 * 1024): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function textOf(response: Response, place: string, alive: () => void): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    alive();
    bytes += chunk.byteLength;
    if (bytes > MAX_TEXT_BYTES) {
      throw new LoadError('FormatUnknown', `${place} answers with more than ${MAX_TEXT_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
