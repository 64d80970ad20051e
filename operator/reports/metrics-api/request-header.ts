/**
 * Who is behind a request that the API server passes on to an aggregated API
 * (https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/): the API server proves itself by a
 * client certificate, and says in headers whom it has authenticated. Everything needed to check that stands in one
 * ConfigMap of every cluster.
 */
import type { IncomingMessage } from 'node:http';
import type { ClientCertificate } from '../tls-server.ts';

export const AUTHENTICATION_CONFIG_MAP = {
  namespace: 'kube-system',
  name: 'extension-apiserver-authentication',
} as const;

export interface RequestHeaderConfig {
  /** PEM of the authorities that sign the API server's client certificate. */
  readonly clientAuthorityPem: string;
  /** Common names that the certificate may have; empty: any. */
  readonly allowedNames: readonly string[];
  readonly usernameHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraHeaderPrefixes: readonly string[];
}

/** As in authentication.k8s.io/v1 UserInfo. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * Reads the ConfigMap's `data`; undefined when the cluster has no aggregation layer.
 *
 * @throws RangeError with a sentence when a key is not the JSON list that it should be
 */
export function requestHeaderConfigIn(
  data: Readonly<Record<string, string>> | undefined = {},
): RequestHeaderConfig | undefined {
  const clientAuthorityPem = data['requestheader-client-ca-file'];
  if (!clientAuthorityPem) return undefined;
  const names = (key: string) => listIn(data[key], key);
  const headers = (key: string) => names(key).map((name) => name.trim().toLowerCase());
  return {
    clientAuthorityPem,
    allowedNames: names('requestheader-allowed-names'),
    usernameHeaders: headers('requestheader-username-headers'),
    uidHeaders: headers('requestheader-uid-headers'),
    groupHeaders: headers('requestheader-group-headers'),
    extraHeaderPrefixes: headers('requestheader-extra-headers-prefix'),
  };
}

function listIn(text: string | undefined, key: string): string[] {
  if (text === undefined || text === '') return [];
  const fail = () => {
    const { namespace, name } = AUTHENTICATION_CONFIG_MAP;
    return new RangeError(`${key} in ConfigMap ${namespace}/${name} is no JSON list of strings`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail();
  }
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw fail();
  return value;
}

/**
 * The user on whose behalf the API server asks; undefined when it was not the API server, or when it names nobody.
 *
 * @param headers with every value of a repeated header apart, as `IncomingMessage.headersDistinct`
 */
export function userBehind(
  config: RequestHeaderConfig | undefined,
  certificate: ClientCertificate | undefined,
  headers: IncomingMessage['headersDistinct'],
): UserInfo | undefined {
  if (!config || !certificate) return undefined;
  const { allowedNames } = config;
  if (allowedNames.length > 0 && !allowedNames.includes(certificate.commonName)) return undefined;

  const allOf = (names: readonly string[]) =>
    names.flatMap((name) => headers[name] ?? []).filter((value) => value !== '');
  const [username] = allOf(config.usernameHeaders);
  if (!username) return undefined;
  const [uid] = allOf(config.uidHeaders);
  return {
    username,
    ...(uid !== undefined && { uid }),
    groups: allOf(config.groupHeaders),
    extra: extraIn(config, headers),
  };
}

/** The rest of such a header's name is a percent-encoded key. */
function extraIn({ extraHeaderPrefixes }: RequestHeaderConfig, headers: IncomingMessage['headersDistinct']) {
  const extra = new Map<string, string[]>();
  for (const prefix of extraHeaderPrefixes) {
    for (const [name, values = []] of Object.entries(headers)) {
      if (!name.startsWith(prefix)) continue;
      const key = decoded(name.slice(prefix.length));
      extra.set(key, [...(extra.get(key) ?? []), ...values]);
    }
  }
  return Object.fromEntries(extra);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
