/** How far a forecast is off. */

export interface Score {
  /** Mean absolute error, in users per hour. */
  readonly mae: number;
  /** Weighted absolute percentage error: the sum of the errors as a share of the sum of the counts, in percent. */
  readonly wapePercent: number;
  readonly hours: number;
}

/** @throws Error when the lists differ in length, are empty, or a forecast is not finite. */
export function scoreOf(forecast: readonly number[], counted: readonly number[]): Score {
  if (forecast.length !== counted.length || counted.length === 0)
    throw new Error(
      `${forecast.length} forecasts for ${counted.length} counts; expected as many, and at least one`,
    );
  if (!forecast.every(Number.isFinite)) throw new Error('a forecast is not a finite number');
  const total = sum(counted);
  const error = sum(forecast.map((value, index) => Math.abs(value - (counted[index] ?? 0))));
  return { mae: error / counted.length, wapePercent: (100 * error) / total, hours: counted.length };
}

/** How much lower the error is, in percent of the error of the other forecast. */
export function improvementPercent(model: Score, naive: Score): number {
  return 100 * (1 - model.mae / naive.mae);
}

/** `MAE 35.1 users/h, WAPE 21.0 %`. */
export function formatScore({ mae, wapePercent }: Score): string {
  return `MAE ${mae.toFixed(1)} users/h, WAPE ${wapePercent.toFixed(1)} %`;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
