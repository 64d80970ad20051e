/**
 * Access to a registry: the login of `.dockerconfigjson`, as `kubectl create secret docker-registry` writes it, and the
 * token that a registry's own service gives for it (https://distribution.github.io/distribution/spec/auth/token/).
 */
import * as z from 'zod';
import type { Settings } from './credentials.ts';
import { basic } from './http-credentials.ts';
import { type RequestHeaders, requestText } from './http-request.ts';
import { LoadError } from './load-error.ts';
import type { TransferMeans } from './persistence.ts';
import { statusFailure } from './transfer-error.ts';

export interface Login {
  username: string;
  password: string;
}

const DockerConfig = z.object({
  auths: z.record(
    z.string(),
    z.object({
      auth: z.string().optional(),
      username: z.string().optional(),
      password: z.string().optional(),
    }),
  ),
});

/**
 * The login for a registry, or undefined when the Secret has none for it.
 * @throws LoadError AccessDenied when the Secret is not understood.
 */
export function loginOf(settings: Settings, registry: string, secret: string): Login | undefined {
  const text = settings['.dockerconfigjson'] ?? settings['config.json'];
  if (text === undefined) {
    const { username, password } = settings;
    return username === undefined ? undefined : { username, password: password ?? '' };
  }
  const config = DockerConfig.safeParse(json(text));
  if (!config.success) {
    throw new LoadError(
      'AccessDenied',
      `.dockerconfigjson in ${secret} is not understood: make it with kubectl create secret docker-registry`,
    );
  }
  const entry = Object.entries(config.data.auths).find(([name]) => hostOf(name) === hostOf(registry))?.[1];
  if (entry === undefined) return undefined;
  if (entry.username !== undefined) return { username: entry.username, password: entry.password ?? '' };
  const [username = '', ...rest] = Buffer.from(entry.auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  return username === '' ? undefined : { username, password: rest.join(':') };
}

/** Entries are written with and without scheme and path; Docker Hub has three names. */
function hostOf(name: string): string {
  const host = name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

/** What a registry wants before it answers: RFC 7235's challenge. */
export interface Challenge {
  scheme: 'basic' | 'bearer';
  parameters: Readonly<Record<string, string>>;
}

/** Undefined when the header holds no challenge that is understood. */
export function parseChallenge(header: string | null): Challenge | undefined {
  const scheme = /^\s*(basic|bearer)\b/i.exec(header ?? '')?.[1]?.toLowerCase();
  if (scheme !== 'basic' && scheme !== 'bearer') return undefined;
  const pairs = [...(header ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/gi)];
  return {
    scheme,
    parameters: Object.fromEntries(
      pairs.map(([, name = '', value = '']) => [name.toLowerCase(), value.replace(/\\(.)/g, '$1')]),
    ),
  };
}

const Token = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * The header that answers a challenge; none for a basic challenge without a login.
 * @param registry origin of the registry: from https no password goes to http.
 * @throws LoadError
 */
export async function answerTo(
  challenge: Challenge,
  login: Login | undefined,
  registry: URL,
  place: string,
  means: TransferMeans,
): Promise<RequestHeaders> {
  const authorization = login && basic(login.username, login.password);
  if (challenge.scheme === 'basic') return authorization === undefined ? {} : { authorization };
  const { realm = '', service, scope } = challenge.parameters;
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && registry.protocol === 'http:');
  if (!url || !safe) {
    throw new LoadError(
      'AccessDenied',
      `${place} names no https address that gives tokens: the registry is set up wrongly`,
    );
  }
  if (service !== undefined) url.searchParams.set('service', service);
  if (scope !== undefined) url.searchParams.set('scope', scope);
  const { text } = await requestText(
    {
      url: url.href,
      place: `the token service of ${place}`,
      authorize: async () => (authorization === undefined ? {} : { authorization }),
      explain: async (response) => {
        await response.body?.cancel();
        return statusFailure(response.status, `the token service of ${place}`, refusal(login));
      },
    },
    means,
  );
  const { token, access_token } = Token.safeParse(json(text)).data ?? {};
  const given = token ?? access_token;
  if (given !== undefined) return { authorization: `Bearer ${given}` };
  throw new LoadError('AccessDenied', `the token service of ${place} gives no token`);
}

/** What helps when a registry refuses. */
export function refusal(login: Login | undefined): string {
  return login === undefined
    ? 'it was asked without a login, so name a Secret with .dockerconfigjson in spec.model.credentialsSecretRef, with an entry for this registry'
    : `the login ${JSON.stringify(login.username)} of spec.model.credentialsSecretRef may not pull there: correct its password, or allow it to pull`;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
