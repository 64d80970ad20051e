/** Timestamps of a time series: steps of a frequency, forward from an ISO 8601 time. Pure. */

/** The words of KServe's forecast API; the second of each pair is the short one. */
export const frequencies = [
  ...(['second', 'S', 'minute', 'T', 'hour', 'H', 'day', 'D'] as const),
  ...(['week', 'W', 'month', 'M', 'quarter', 'Q', 'year', 'Y'] as const),
] as const;
export type Frequency = (typeof frequencies)[number];

export type LongFrequency = (typeof longFrequencies)[number];

export const longFrequencies = [
  'second',
  'minute',
  'hour',
  'day',
  'week',
  'month',
  'quarter',
  'year',
] as const;

/** The long word of a frequency. */
export function longFrequency(frequency: Frequency): LongFrequency {
  const at = frequencies.indexOf(frequency);
  return frequencies[at - (at % 2)] as LongFrequency;
}

const milliseconds = { second: 1e3, minute: 6e4, hour: 36e5, day: 864e5, week: 6048e5 } as const;
const months = { month: 1, quarter: 3, year: 12 } as const;

const timestamp =
  /^(\d{4})-(\d\d)-(\d\d)(?:([T ])(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$/;

/**
 * The time `steps` steps later, with the same offset and as precise; the 31st becomes the last day of a shorter month.
 * @returns undefined when the text is no ISO 8601 time, or the years run out.
 */
export function stepsLater(start: string, frequency: Frequency, steps: number): string | undefined {
  const found = timestamp.exec(start);
  if (!found) return undefined;
  const [, year, month, day, separator, hour = '0', minute = '0', second = '0', fraction = '', offset = ''] =
    found;
  const fields = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [y, mo, d, h, mi, s] = fields;
  const time = Date.UTC(y, mo - 1, d, h, mi, s);
  const date = new Date(time);
  if (date.getUTCMonth() !== mo - 1 || date.getUTCDate() !== d || h > 23 || mi > 59 || s > 59)
    return undefined;
  const unit = longFrequency(frequency);
  const later = new Date(
    unit in months
      ? monthsLater(date, months[unit as keyof typeof months] * steps)
      : time + milliseconds[unit as keyof typeof milliseconds] * steps,
  );
  if (Number.isNaN(later.getTime()) || later.getUTCFullYear() > 9999) return undefined;
  const text = later.toISOString();
  const isDate = separator === undefined && text.slice(11, 19) === '00:00:00';
  return isDate
    ? text.slice(0, 10)
    : `${text.slice(0, 10)}${separator ?? 'T'}${text.slice(11, 19)}${fraction}${offset}`;
}

function monthsLater(date: Date, count: number): number {
  const total = date.getUTCFullYear() * 12 + date.getUTCMonth() + count;
  const [year, month] = [Math.floor(total / 12), total % 12];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), lastDay);
  return Date.UTC(year, month, day) + (date.getTime() % 864e5);
}
