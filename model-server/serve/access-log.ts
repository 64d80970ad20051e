/** One line in the log for a share of the requests, and for every one that failed for a reason of ours. */
import type { Logger } from 'pino';
import type { Protocol } from './metrics.ts';
import type { About } from './tracing.ts';

export interface AccessLogOptions {
  /** Of the requests that are logged, 0 to 1; 0: none at all. */
  share: number;
  log: Pick<Logger, 'info'>;
  /** 0 to 1. */
  random?: () => number;
}

export class AccessLog {
  readonly #options: AccessLogOptions;

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  /** @param traceparent of the request, where there is one: its trace's id is logged. */
  answered(
    protocol: Protocol,
    status: number,
    seconds: number,
    { model, timings }: About,
    traceparent?: string,
  ): void {
    const { share, log, random = Math.random } = this.#options;
    if (share === 0 || (status < 500 && random() >= share)) return;
    const [, traceId] = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? '') ?? [];
    const milliseconds = (value: number) => Math.round(value * 1000) / 1000;
    log.info(
      {
        ...{ protocol, status, model: model?.name, version: model?.version, traceId },
        milliseconds: milliseconds(seconds * 1000),
        ...(timings && {
          rows: timings.rows,
          queueMilliseconds: milliseconds(timings.queue),
          computeMilliseconds: milliseconds(timings.infer),
        }),
      },
      'request',
    );
  }
}
