/** Access to `https://` and `http://` addresses: `token`, or `username` and `password`. */
import type { Settings } from './credentials.ts';
import type { RequestHeaders } from './http-request.ts';

/** RFC 6750 for a token, RFC 7617 for a name with a password. */
export function authorization({ token, username, password }: Settings): RequestHeaders {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (username === undefined) return {};
  return { authorization: basic(username, password ?? '') };
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** What helps when access is refused; undefined when nothing was tried. */
export function refusalOf({ token, username }: Settings, place: string): string | undefined {
  const tried = token === undefined ? username && 'username and password' : 'token';
  return tried === undefined
    ? undefined
    : `the ${tried} from ${place} may not read there; renew them, or allow them to read`;
}
