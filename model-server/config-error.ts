/** Names the flag, variable or field, what was found and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A whole number within bounds, as text; undefined stays undefined. @throws ConfigError */
export function integer(
  name: string,
  text: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ConfigError(`${name} is "${text}"; expected a whole number from ${least} to ${most}`);
}
