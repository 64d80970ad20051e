/** Validation rules in CEL (https://kubernetes.io/docs/reference/using-api/cel/) as metadata of a zod schema. */

export interface CelRule {
  rule: string;
  /** Said when `messageExpression` is absent or fails. */
  message: string;
  /** CEL that yields the sentence: it can name the value that was found. */
  messageExpression?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
  fieldPath?: string;
}

/** `schema.meta(cel(rule, …))` puts the rules where the API server reads them. */
export function cel(...rules: CelRule[]): { 'x-kubernetes-validations': CelRule[] } {
  return { 'x-kubernetes-validations': rules };
}

/** `schema.meta(mapList('name'))`: list items are known by these keys, so that two appliers can own different items. */
export function mapList(...keys: string[]): {
  'x-kubernetes-list-type': 'map';
  'x-kubernetes-list-map-keys': string[];
} {
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
}

/**
 * `schema.meta(atomic)`: it has one writer. Else the API server notes the owner of every field in it, which for many small
 * parts takes more room than these.
 */
export const atomic = { 'x-kubernetes-map-type': 'atomic' } as const;
