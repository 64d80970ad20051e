const LONGEST_PATH = 1024;

/**
 * A relative path that stays below the directory it is joined to, or undefined when the given one would not, or
 * holds what `sha256sum` would print in another form (backslash, control characters). `./a//b` becomes `a/b`.
 */
export function safeRelativePath(path: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
  if (path.startsWith('/') || path.length > LONGEST_PATH || /[\x00-\x1f\x7f\\]/.test(path)) return undefined;
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.length === 0 || segments.includes('..')) return undefined;
  return segments.join('/');
}
