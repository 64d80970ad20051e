/**
 * What the model is asked, as plain figures that a city has at midnight for each hour of the day that begins:
 * the calendar, the weather forecast, and counts that are already over. Scaling is the model's own business.
 */
import type { Hour, Observation } from './dataset.ts';

/** One row of the model's three inputs; the order of the figures is that of `INPUTS`. */
export interface Features {
  readonly calendar: readonly number[];
  readonly weather: readonly number[];
  readonly history: readonly number[];
}

/** Names of the figures of each input, in order. */
export const INPUTS = {
  calendar: [
    'hour (0–23)',
    'weekday (0 = Sunday)',
    'holiday (0/1)',
    'working day (0/1)',
    'day of the year (1–366)',
  ],
  weather: ['weather (1–4)', 'temperature °C', 'feels like °C', 'humidity %', 'wind speed'],
  history: [
    'users in this hour yesterday',
    'users in this hour a week ago',
    'users in this hour two weeks ago',
    'users per hour, mean of yesterday',
    'users per hour, mean of the last seven days',
  ],
} as const satisfies Record<keyof Features, readonly string[]>;

/** Days of counts that must lie before the first hour that is asked for. */
export const HISTORY_DAYS = 14;

const HOURS_PER_DAY = 24;
const HOURS_PER_WEEK = 7 * HOURS_PER_DAY;

/** Users of a past hour. An hour that the source leaves out is one in which nobody was counted. */
export type Counts = (hour: Hour) => number;

export function countsOf(observations: readonly Observation[]): Counts {
  const users = new Map(observations.map((observation) => [observation.hour, observation.users]));
  return (hour) => users.get(hour) ?? 0;
}

/**
 * Features of the hour in `conditions`, forecast at the midnight before it: nothing later than that midnight is
 * looked up in `counts`. `conditions.users` is not read.
 */
export function featuresOf(conditions: Omit<Observation, 'users'>, counts: Counts): Features {
  const { hour } = conditions;
  const hourOfDay = hour % HOURS_PER_DAY;
  const midnight = hour - hourOfDay;
  return {
    calendar: [
      hourOfDay,
      weekdayOf(hour),
      Number(conditions.holiday),
      Number(conditions.workingDay),
      dayOfYearOf(hour),
    ],
    weather: [
      conditions.weather,
      conditions.temperatureCelsius,
      conditions.feelsLikeCelsius,
      conditions.humidityPercent,
      conditions.windSpeed,
    ],
    history: [
      counts(hour - HOURS_PER_DAY),
      counts(hour - HOURS_PER_WEEK),
      counts(hour - 2 * HOURS_PER_WEEK),
      meanBefore(midnight, HOURS_PER_DAY, counts),
      meanBefore(midnight, HOURS_PER_WEEK, counts),
    ],
  };
}

/** The naive forecast that every model has to beat. */
export function sameHourLastWeek(hour: Hour, counts: Counts): number {
  return counts(hour - HOURS_PER_WEEK);
}

function meanBefore(end: Hour, hours: number, counts: Counts): number {
  let sum = 0;
  for (let back = 1; back <= hours; back++) sum += counts(end - back);
  return sum / hours;
}

/** 1970-01-01 was a Thursday. */
function weekdayOf(hour: Hour): number {
  return (Math.floor(hour / HOURS_PER_DAY) + 4) % 7;
}

function dayOfYearOf(hour: Hour): number {
  const day = Math.floor(hour / HOURS_PER_DAY);
  const year = new Date(hour * 3_600_000).getUTCFullYear();
  return day - Date.UTC(year, 0, 1) / 86_400_000 + 1;
}
