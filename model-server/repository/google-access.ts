/**
 * The token that Cloud Storage is asked with: for the key of a service account
 * (https://developers.google.com/identity/protocols/oauth2/service-account), or from the metadata service of a machine
 * or pod on Google Cloud. Without either, requests carry none, which public buckets allow.
 */
import { createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { SourceCredentials } from './credentials.ts';
import { requestText } from './http-request.ts';
import { LoadError } from './load-error.ts';
import type { TransferMeans } from './persistence.ts';
import type { Temporary, TemporaryKeys } from './temporary.ts';
import { statusFailure } from './transfer-error.ts';

export interface GoogleContext extends TransferMeans {
  credentials: SourceCredentials;
  googleTokens: GoogleTokens;
}
export type GoogleTokens = TemporaryKeys<string>;

export interface GoogleAccess {
  token?: string;
  /** Whose token it is, for messages. */
  origin: string;
  /** Without a slash at the end. */
  endpoint: string;
}

/** The first is Google's own, and there may be the name of a file; the second is what KServe's Secrets have. */
const KEY_NAMES = ['GOOGLE_APPLICATION_CREDENTIALS', 'gcloud-application-credentials.json'];
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_only';
const METADATA_HOST = 'metadata.google.internal';
/** Nobody answers there on machines that are not Google's. */
const METADATA_SECONDS = 1;

const AccountKey = z.object({
  type: z.literal('service_account'),
  client_email: z.string(),
  private_key: z.string(),
  private_key_id: z.string().optional(),
  token_uri: z.url({ protocol: /^https?$/ }),
});

const Token = z.object({ access_token: z.string(), expires_in: z.number() });

/** @throws LoadError when the key is not understood, or no token is given for it. */
export async function googleAccess(context: GoogleContext): Promise<GoogleAccess> {
  const { credentials, googleTokens } = context;
  const settings = await credentials.read();
  const emulator = settings['STORAGE_EMULATOR_HOST'];
  const endpoint =
    emulator === undefined
      ? 'https://storage.googleapis.com'
      : (/^https?:/.test(emulator) ? emulator : `http://${emulator}`).replace(/\/+$/, '');
  const given = KEY_NAMES.map((name) => settings[name]).find((key) => key !== undefined);
  if (given !== undefined) {
    const text = given.startsWith('{') ? given : await readFile(given, 'utf8').catch(() => '');
    const key = accountKey(text, credentials.name);
    const token = await googleTokens.get(text, () => tokenFor(key, context));
    return { token, origin: `the service account ${key.client_email}`, endpoint };
  }
  if (emulator !== undefined) return { origin: credentials.name, endpoint };
  const host = settings['GCE_METADATA_HOST'] ?? METADATA_HOST;
  const token = await googleTokens.getIfAny(host, () => instanceToken(host, context), context.signal);
  return {
    ...(token === undefined ? {} : { token }),
    origin: "the pod's or machine's service account",
    endpoint,
  };
}

function accountKey(text: string, place: string): z.infer<typeof AccountKey> {
  try {
    return AccountKey.parse(JSON.parse(text));
  } catch {
    throw new LoadError(
      'AccessDenied',
      `${place} has no key of a service account in ${KEY_NAMES[0]}: expected the JSON file that Google Cloud gives for one`,
    );
  }
}

async function tokenFor(
  { client_email, private_key, private_key_id, token_uri }: z.infer<typeof AccountKey>,
  means: TransferMeans,
): Promise<Temporary<string>> {
  const now = Math.floor(means.clock.epochMilliseconds() / 1000);
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const head = { alg: 'RS256', typ: 'JWT', kid: private_key_id };
  const claims = { iss: client_email, scope: SCOPE, aud: token_uri, iat: now, exp: now + 3600 };
  const signed = `${part(head)}.${part(claims)}`;
  const place = `the token service of ${client_email}`;
  const helps = 'its key may be revoked or the clock of the node wrong: make a new key, or set the clock';
  const { text } = await requestText(
    {
      url: token_uri,
      place,
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: `${signed}.${signature(signed, private_key, client_email)}`,
      }),
      explain: async ({ status, body }) => {
        await body?.cancel();
        return statusFailure(status === 400 ? 401 : status, place, helps);
      },
    },
    means,
  );
  return temporary(text, place, means);
}

function signature(signed: string, key: string, account: string): string {
  try {
    return createSign('RSA-SHA256').update(signed).sign(key, 'base64url');
  } catch {
    throw new LoadError('AccessDenied', `the private key of ${account} is damaged: make a new one`);
  }
}

/** https://cloud.google.com/compute/docs/access/authenticate-workloads */
async function instanceToken(host: string, means: TransferMeans): Promise<Temporary<string>> {
  const signal = AbortSignal.any([means.signal, AbortSignal.timeout(METADATA_SECONDS * 1000)]);
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token?scopes=${SCOPE}`;
  const response = await fetch(url, {
    headers: { 'metadata-flavor': 'Google' },
    signal,
    redirect: 'error',
  });
  if (!response.ok) throw new Error(`the metadata service answers ${response.status}`);
  return temporary(await response.text(), 'the metadata service', means);
}

function temporary(text: string, place: string, { clock }: TransferMeans): Temporary<string> {
  const answer = Token.safeParse(json(text)).data;
  if (!answer) throw new LoadError('AccessDenied', `${place} gives no token that is understood`);
  return {
    value: answer.access_token,
    expiresAt: clock.epochMilliseconds() + answer.expires_in * 1000,
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
