/**
 * What can be read in a service-account token (a JSON web token, RFC 7519) without proving it. Used to refuse early
 * and to name a refusal; whether a token is genuine is decided by the API server alone.
 */

export interface TokenClaims {
  readonly audiences: readonly string[];
  /** Seconds since the epoch; Infinity for a token that does not expire. */
  readonly expiresAtSeconds: number;
  readonly isPodBound: boolean;
}

const LONGEST_TOKEN = 8192;

/** The token of an `Authorization: Bearer` header (RFC 6750), if it is one. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization ?? '')?.[1];
}

/** Undefined for anything that is not shaped like a JSON web token. */
export function unprovenClaims(token: string): TokenClaims | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (token.length > LONGEST_TOKEN || !payload || !signature || more.length > 0) return undefined;
  const claims = jsonObject(Buffer.from(payload, 'base64url').toString('utf8'));
  if (!claims) return undefined;
  const { aud, exp } = claims;
  const kubernetes = claims['kubernetes.io'];
  return {
    audiences: [aud].flat().filter((audience) => typeof audience === 'string'),
    expiresAtSeconds: typeof exp === 'number' ? exp : Number.POSITIVE_INFINITY,
    isPodBound: typeof kubernetes === 'object' && kubernetes !== null && 'pod' in kubernetes,
  };
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
