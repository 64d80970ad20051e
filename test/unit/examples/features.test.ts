import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hourOf, type Observation, readObservations } from '../../../examples/traffic/dataset.ts';
import {
  countsOf,
  featuresOf,
  HISTORY_DAYS,
  INPUTS,
  sameHourLastWeek,
} from '../../../examples/traffic/features.ts';

function conditionsAt(time: string): Omit<Observation, 'users'> {
  return {
    hour: hourOf(time),
    holiday: false,
    workingDay: true,
    weather: 1,
    temperatureCelsius: 20,
    feelsLikeCelsius: 21,
    humidityPercent: 50,
    windSpeed: 10,
  };
}

describe('the calendar', () => {
  test.each([
    ['2012-12-01T00:00', [0, 6, 0, 1, 336]], // a Saturday in a leap year
    ['2011-01-01T23:00', [23, 6, 0, 1, 1]],
    ['2011-12-31T07:00', [7, 6, 0, 1, 365]],
    ['2012-12-31T07:00', [7, 1, 0, 1, 366]],
    ['2012-03-01T12:00', [12, 4, 0, 1, 61]],
  ])('of %s is hour, weekday, holiday, working day and day of the year', (time, calendar) => {
    expect(featuresOf(conditionsAt(time), () => 0).calendar).toEqual(calendar);
  });

  test('has the weekday that the source gives: its weekends are no working days', () => {
    const observations = readObservations();
    const wrong = observations.filter((each) => {
      const weekday = featuresOf(each, () => 0).calendar[1]!;
      return each.workingDay !== (weekday >= 1 && weekday <= 5 && !each.holiday);
    });
    expect(wrong).toEqual([]);
  });
});

describe('the history', () => {
  const start = hourOf('2012-06-15T00:00');

  test('is the same hour yesterday, a week and two weeks ago, and two means', () => {
    const counts = (hour: number) => hour - start + 1_000;
    expect(featuresOf(conditionsAt('2012-06-15T08:00'), counts).history).toEqual([
      1_000 + 8 - 24,
      1_000 + 8 - 168,
      1_000 + 8 - 336,
      1_000 - 12.5,
      1_000 - 84.5,
    ]);
  });

  test('never looks beyond the midnight before the hour, nor further back than it says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 23 }), (hourOfDay) => {
        const conditions = conditionsAt(`2012-06-15T${String(hourOfDay).padStart(2, '0')}:00`);
        featuresOf(conditions, (hour) => {
          expect(hour).toBeLessThan(start);
          expect(hour).toBeGreaterThanOrEqual(start - HISTORY_DAYS * 24);
          return 0;
        });
      }),
    );
  });

  test('counts nobody in an hour without a row', () => {
    const counts = countsOf([{ ...conditionsAt('2012-06-08T08:00'), users: 321 }]);
    expect(counts(hourOf('2012-06-08T08:00'))).toBe(321);
    expect(counts(hourOf('2012-06-08T09:00'))).toBe(0);
    expect(sameHourLastWeek(hourOf('2012-06-15T08:00'), counts)).toBe(321);
  });
});

test('every input has as many figures as it has names', () => {
  const features = featuresOf(conditionsAt('2012-06-15T08:00'), () => 0);
  for (const name of ['calendar', 'weather', 'history'] as const)
    expect(features[name]).toHaveLength(INPUTS[name].length);
});
