/**
 * Label selectors as in a URL's `labelSelector`, by the grammar of Kubernetes
 * (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api): comma-separated requirements
 * `key`, `!key`, `key=v`, `key==v`, `key!=v`, `key in (v,…)`, `key notin (v,…)`, `key>n`, `key<n`.
 */

export type Labels = Readonly<Record<string, string>>;
export type LabelSelector = (labels: Labels) => boolean;

type Operator = '=' | '==' | '!=' | '>' | '<' | 'in' | 'notin';

const TOKEN = /\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)/y;
const SYMBOLS = new Set(['=', '==', '!=', '!', '<', '>', '(', ')', ',']);
/** A qualified name: an optional DNS prefix, a slash, and a name of at most 63 characters. */
const KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
const INTEGER = /^[+-]?\d{1,18}$/;

/** Its message shows what was found and what was expected. */
export class LabelSelectorError extends Error {
  override readonly name = 'LabelSelectorError';
}

/**
 * An empty selector matches everything.
 *
 * @throws LabelSelectorError
 */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = tokensOf(text);
  const requirements: LabelSelector[] = [];
  let position = 0;
  const peek = () => tokens[position] ?? '';
  const next = () => tokens[position++] ?? '';
  const fail = (found: string, expected: string): never => {
    throw new LabelSelectorError(
      `label selector "${shortened(text)}": found ${found ? `"${found}"` : 'the end'}, expected ${expected}`,
    );
  };
  const expectKey = () => {
    const key = next();
    return KEY.test(key) ? key : fail(key, 'a label key');
  };
  const valueAhead = () => {
    // Values may be empty: "key=", "key in (,a)".
    if (peek() === '' || SYMBOLS.has(peek())) return '';
    const value = next();
    return VALUE.test(value) ? value : fail(value, 'a label value');
  };
  const values = () => {
    if (next() !== '(') fail(tokens[position - 1] ?? '', '"("');
    const found = [valueAhead()];
    while (peek() === ',') {
      next();
      found.push(valueAhead());
    }
    const end = next();
    return end === ')' ? found : fail(end, '"," or ")"');
  };
  const requirement = (): LabelSelector => {
    if (peek() === '!') {
      next();
      const key = expectKey();
      return (labels) => !has(labels, key);
    }
    const key = expectKey();
    if (peek() === '' || peek() === ',') return (labels) => has(labels, key);
    const operator = next();
    if (!isOperator(operator)) return fail(operator, '"=", "==", "!=", ">", "<", "in", "notin" or ","');
    return compare(
      key,
      operator,
      operator === 'in' || operator === 'notin' ? values() : [valueAhead()],
      fail,
    );
  };

  while (position < tokens.length) {
    requirements.push(requirement());
    if (position === tokens.length) break;
    const separator = next();
    if (separator !== ',') fail(separator, '","');
    if (position === tokens.length) fail('', 'a label key');
  }
  return (labels) => requirements.every((matches) => matches(labels));
}

/** `!=` and `notin` match objects without the label, too. */
function compare(
  key: string,
  operator: Operator,
  values: readonly string[],
  fail: (found: string, expected: string) => never,
): LabelSelector {
  const [value = ''] = values;
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return (labels) => has(labels, key) && values.includes(labels[key]!);
    case '!=':
    case 'notin':
      return (labels) => !has(labels, key) || !values.includes(labels[key]!);
    case '>':
    case '<': {
      if (!INTEGER.test(value)) return fail(value, `an integer after "${operator}"`);
      const limit = BigInt(value);
      return (labels) => {
        const label = has(labels, key) ? labels[key]! : '';
        if (!INTEGER.test(label)) return false;
        return operator === '>' ? BigInt(label) > limit : BigInt(label) < limit;
      };
    }
  }
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) tokens.push(match[1]!);
  return tokens;
}

const isOperator = (token: string): token is Operator =>
  ['=', '==', '!=', '>', '<', 'in', 'notin'].includes(token);

const has = (labels: Labels, key: string): boolean => Object.hasOwn(labels, key);

const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);
