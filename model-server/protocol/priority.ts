/**
 * How urgent a request is. Requests say it as Triton's parameter `priority` (1 is the highest, 0 the default; here 2 is the default, and all above
 * it is not urgent) or, over HTTP, as the header of RFC 9218 (`Priority: u=0` to `u=7`, 3 being the default).
 */
import { invalid } from './errors.ts';

export type Priority = 0 | 1 | 2;
export const URGENT: Priority = 0;
export const NORMAL: Priority = 1;
export const PATIENT: Priority = 2;
/** The most urgent first. */
export const PRIORITIES: readonly Priority[] = [URGENT, NORMAL, PATIENT];

/** @param value the request parameter `priority`. @throws ProtocolError InvalidArgument */
export function priorityOf(value: unknown): Priority | undefined {
  if (value === undefined || value === null) return undefined;
  const level = typeof value === 'bigint' ? Number(value) : value;
  if (typeof level !== 'number' || !Number.isInteger(level) || level < 0) {
    throw invalid('parameters.priority', 'a whole number from 0 on expected, 1 being the highest priority');
  }
  if (level === 0 || level === 2) return NORMAL;
  return level === 1 ? URGENT : PATIENT;
}

/** @param header `Priority`; what does not follow RFC 9218 is ignored, as it asks for. */
export function priorityOfHeader(header: string | undefined): Priority | undefined {
  const urgency = /(?:^|,)\s*u=([0-7])\s*(?:$|[,;])/.exec(header ?? '')?.[1];
  if (urgency === undefined) return undefined;
  if (urgency === '3') return NORMAL;
  return urgency < '3' ? URGENT : PATIENT;
}
