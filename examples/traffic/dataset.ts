/** The hourly counts in data/bike-sharing-hourly.csv; where they come from stands in data/LICENSE.md. */
import { readFileSync } from 'node:fs';

/** Counts are local wall-clock hours without daylight saving, as in the source: hours since 1970-01-01T00:00. */
export type Hour = number;

/** One hour of the city: what was counted, and the day and weather it was counted in. */
export interface Observation {
  readonly hour: Hour;
  readonly holiday: boolean;
  /** Neither a weekend nor a holiday. */
  readonly workingDay: boolean;
  /** 1 clear or few clouds, 2 mist or cloudy, 3 light rain or snow, 4 heavy rain, snow or fog. */
  readonly weather: number;
  readonly temperatureCelsius: number;
  readonly feelsLikeCelsius: number;
  readonly humidityPercent: number;
  /** 0 to 67; the source states no unit. */
  readonly windSpeed: number;
  /** Bicycles taken out in this hour in the whole city. */
  readonly users: number;
}

export const DATA_FILE = new URL('data/bike-sharing-hourly.csv', import.meta.url);

const COLUMNS =
  'time,holiday,working_day,weather,temperature_celsius,feels_like_celsius,humidity_percent,wind_speed,users';

/** The whole series in order of time. */
export function readObservations(file: URL | string = DATA_FILE): Observation[] {
  return parseObservations(readFileSync(file, 'utf8'));
}

/** @throws Error that names the line, when a line has other columns, something that is no number, or goes back in time. */
export function parseObservations(csv: string): Observation[] {
  const [header, ...lines] = csv.trimEnd().split('\n');
  if (header !== COLUMNS) throw new Error(`line 1 is "${header}"; expected "${COLUMNS}"`);
  const observations = lines.map((line, index) => parseLine(line, index + 2));
  observations.forEach((observation, index) => {
    const before = observations[index - 1];
    if (before && before.hour >= observation.hour)
      throw new Error(`line ${index + 2} is not later than the line before it`);
  });
  return observations;
}

/** `2012-12-01T00:00` as an hour. */
export function hourOf(time: string): Hour {
  const milliseconds = Date.parse(`${time}Z`);
  if (Number.isNaN(milliseconds)) throw new Error(`"${time}" is no time such as 2012-12-01T00:00`);
  return milliseconds / 3_600_000;
}

/** An hour as `2012-12-01T00:00`. */
export function timeOf(hour: Hour): string {
  return new Date(hour * 3_600_000).toISOString().slice(0, 16);
}

function parseLine(line: string, number: number): Observation {
  const [time = '', ...texts] = line.split(',');
  const values = texts.map(Number);
  if (texts.length !== 8 || texts.includes('') || values.some(Number.isNaN))
    throw new Error(`line ${number} is "${line}"; expected a time and 8 numbers`);
  const [holiday, workingDay, weather, temperature, feelsLike, humidity, wind, users] = values as Eight;
  return {
    hour: hourOf(time),
    holiday: holiday === 1,
    workingDay: workingDay === 1,
    weather,
    temperatureCelsius: temperature,
    feelsLikeCelsius: feelsLike,
    humidityPercent: humidity,
    windSpeed: wind,
    users,
  };
}

type Eight = [number, number, number, number, number, number, number, number];
