/**
 * Where a model lives. One address form for the CRD's rule, the plan (which volumes and ports a pod needs) and the
 * model server (which fetches it).
 */

/** RE2 pattern (no look-around) of every accepted address; the CRD shows `MODEL_URI_EXPECTED` when it does not match. */
export const MODEL_URI_PATTERN =
  '^(https?://[A-Za-z0-9._~-]+(:[0-9]{1,5})?/[^\\s?#]*|(s3|gs)://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^\\s?#]*)?|oci://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})|pvc://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[^\\s?#]*)?|file:///[^\\s?#]+)$';

export const MODEL_URI_EXPECTED =
  'expected https://HOST/PATH, http://HOST/PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, oci://REGISTRY/REPOSITORY:TAG, pvc://CLAIM/PATH or file:///PATH, without query or fragment';

export type ModelUri =
  | { scheme: 'https' | 'http'; host: string; port: number; path: string }
  | { scheme: 's3' | 'gs'; bucket: string; path: string }
  | {
      scheme: 'oci';
      /** Host with the port, if one is given. */
      registry: string;
      host: string;
      port: number;
      repository: string;
      tag?: string;
      /** Outranks the tag. */
      digest?: string;
    }
  | { scheme: 'pvc'; claim: string; path: string }
  | { scheme: 'file'; path: string };

/**
 * Splits a model address into its parts; paths keep their leading slash and lose trailing ones.
 * @throws RangeError with a sentence that names what was found and what was expected.
 */
export function parseModelUri(uri: string): ModelUri {
  if (!new RegExp(MODEL_URI_PATTERN).test(uri)) {
    throw new RangeError(`spec.model.uri is "${uri}": ${MODEL_URI_EXPECTED}`);
  }
  const [scheme, rest] = splitOnce(uri, '://');
  const [authority, tail] = splitOnce(rest, '/');
  const path = `/${tail}`.replace(/\/+$/, '') || '/';
  switch (scheme) {
    case 'https':
    case 'http': {
      const [host, port] = splitOnce(authority, ':');
      return { scheme, host, port: port === '' ? (scheme === 'https' ? 443 : 80) : Number(port), path };
    }
    case 's3':
    case 'gs':
      return { scheme, bucket: authority, path };
    case 'oci': {
      const [host, port] = splitOnce(authority, ':');
      const [name, digest] = splitOnce(tail, '@');
      const [repository, tag] = splitOnce(name, ':');
      return {
        ...{ scheme, registry: authority, host, port: port === '' ? 443 : Number(port), repository },
        ...(tag === '' ? {} : { tag }),
        ...(digest === '' ? {} : { digest }),
      };
    }
    case 'pvc':
      return { scheme, claim: authority, path };
    default:
      return { scheme: 'file', path };
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
