import type { LoadReport } from '../../crds/load-report.ts';
import type { LoadedModel } from '../engine/engine.ts';
import type { ForecastDeclaration } from '../protocol/forecast-model.ts';
import type { Served } from './lifecycle.ts';

/** A model in memory that has answered its warm-up. */
export interface HostedModel extends Served {
  /** Its name in requests. */
  readonly name: string;
  /** The engine's name for it. */
  readonly id: string;
  readonly loaded: LoadedModel;
  /** Signatures whose requests may be joined. */
  readonly joinable: ReadonlySet<string>;
  /** What it declares of forecasts, or why that is of no use. */
  readonly forecast?: ForecastDeclaration | string;
  /**
   * By how much the resident memory of the process grew while it was loaded and warmed up. Nothing else is loaded
   * meanwhile, but requests are served: an estimate.
   */
  readonly residentBytes: number;
  /** Epoch milliseconds of the newest inference that succeeded. */
  lastInferenceAt: number;
}

/** The model as a load report names it. */
export function servingOf(model: HostedModel): NonNullable<LoadReport['serving']> {
  const { revision, version, format, digest, lastInferenceAt } = model;
  return { revision, format, digest, lastInferenceAt, ...(version === undefined ? {} : { version }) };
}
