import { describe, expect, test } from '@jest/globals';
import { hourOf, parseObservations, readObservations, timeOf } from '../../../examples/traffic/dataset.ts';

const header =
  'time,holiday,working_day,weather,temperature_celsius,feels_like_celsius,humidity_percent,wind_speed,users';
const line = '2012-12-01T08:00,0,1,2,6.1,3,49,19,139';

describe('the hourly counts', () => {
  const observations = readObservations();

  test('cover two years, hour by hour', () => {
    expect(observations).toHaveLength(17_379);
    expect(timeOf(observations[0]!.hour)).toBe('2011-01-01T00:00');
    expect(timeOf(observations.at(-1)!.hour)).toBe('2012-12-31T23:00');
  });

  test('hold only figures that can be', () => {
    for (const each of observations) {
      expect(each.users).toBeGreaterThan(0);
      expect([1, 2, 3, 4]).toContain(each.weather);
      expect(each.humidityPercent).toBeLessThanOrEqual(100);
      expect(Math.abs(each.temperatureCelsius)).toBeLessThan(45);
      expect(each.holiday && each.workingDay).toBe(false);
    }
  });
});

describe('reading a table', () => {
  test('takes a line apart', () => {
    expect(parseObservations(`${header}\n${line}\n`)).toEqual([
      {
        hour: hourOf('2012-12-01T08:00'),
        holiday: false,
        workingDay: true,
        weather: 2,
        temperatureCelsius: 6.1,
        feelsLikeCelsius: 3,
        humidityPercent: 49,
        windSpeed: 19,
        users: 139,
      },
    ]);
  });

  test.each([
    ['another header', `time,users\n${line}`, 'line 1'],
    ['a word for a number', `${header}\n${line.replace('139', 'many')}`, 'line 2'],
    ['an empty field', `${header}\n${line.replace('6.1', '')}`, 'line 2'],
    ['a missing field', `${header}\n${line}\n2012-12-01T09:00,0,1,2,6.1,3,49,19`, 'line 3'],
    ['no time', `${header}\n${line.replace('T08:00', ' at eight')}`, 'no time'],
    ['the same hour twice', `${header}\n${line}\n${line}`, 'line 3'],
  ])('refuses %s', (_, csv, where) => {
    expect(() => parseObservations(csv)).toThrow(where);
  });
});
