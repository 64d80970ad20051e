/**
 * From a request that was read to its answer, the same for every protocol: it is let in or refused, waits in the
 * model's queue, is run, counted, and withdrawn when its client has gone.
 */
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { rowsOf } from '../engine/batch-tensors.ts';
import { EngineError } from '../engine/engine.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { Priority } from '../protocol/priority.ts';
import type { NamedTensors } from '../protocol/tensor.ts';
import type { Admission } from './admission.ts';
import type { HostedModel } from './hosted-model.ts';
import type { ModelCatalog } from './model-catalog.ts';
import type { Inferred, Statistics } from './statistics.ts';

/** An inference request that was read: what to run, and how its outputs become an answer. */
export interface Call<A> {
  readonly signature: string;
  /** Checked against the signature. */
  readonly inputs: NamedTensors;
  /** How long it may wait, where the request says so. */
  readonly timeoutSeconds?: number | undefined;
  readonly priority?: Priority | undefined;
  /** @throws ProtocolError */
  answer(outputs: NamedTensors): A;
}

export type Result<A> =
  | { readonly answer: A; readonly timings: Inferred }
  | { readonly error: ProtocolError };

export interface InferenceOptions {
  models: Pick<ModelCatalog, 'use' | 'queueOf'>;
  admission: Pick<Admission, 'refusal'>;
  statistics: Statistics;
  clock: Clock;
  log: Logger;
}

export class Inference {
  readonly #options: InferenceOptions;

  constructor(options: InferenceOptions) {
    this.#options = options;
  }

  /**
   * @param read reads and checks the request; throws ProtocolError or EngineError. A large one may take its time.
   * @param done is called once, maybe before this returns, and not after the request was withdrawn.
   * @returns a function that withdraws the request; true when it was still under way.
   */
  start<A>(
    model: HostedModel,
    read: () => Call<A> | Promise<Call<A>>,
    done: (result: Result<A>) => void,
  ): () => boolean {
    const { models, admission, statistics, clock } = this.#options;
    const startedAt = clock.monotonicMilliseconds();
    const since = () => clock.monotonicMilliseconds() - startedAt;
    const queue = models.queueOf(model);
    let stopUsing = () => {};
    let withdraw = () => {};
    let isUnderWay = true;
    /** True for the first who ends it. */
    const end = () => {
      if (!isUnderWay) return false;
      isUnderWay = false;
      stopUsing();
      return true;
    };
    const fail = (cause: unknown) => {
      if (!end()) return;
      statistics.failed(model, since());
      done({ error: this.errorOf(cause) });
    };
    const submit = (call: Call<A>) => {
      if (!isUnderWay) return;
      const input = since();
      // The engine may empty the arrays, but never the shapes.
      const rows = rowsOf(call.inputs) ?? 1;
      withdraw = queue.submit({
        ...{ model, signature: call.signature, inputs: call.inputs },
        ...{ timeoutSeconds: call.timeoutSeconds, priority: call.priority },
        done: (outcome) => {
          if ('error' in outcome) return fail(outcome.error);
          end();
          model.lastInferenceAt = clock.epochMilliseconds();
          const computedAt = since();
          const { queuedMilliseconds: queue, computedMilliseconds: infer } = outcome;
          const result = this.#answered(call, outcome.outputs, () => {
            const total = since();
            return { rows, total, queue, input, infer, output: total - computedAt };
          });
          if ('error' in result) statistics.failed(model, since());
          else statistics.inferred(model, result.timings);
          done(result);
        },
      });
    };
    try {
      // The queue was not full when the request's head came; its body may have taken long since.
      const refusal = admission.refusal(0, queue);
      if (refusal) throw refusal;
      stopUsing = models.use(model);
      const call = read();
      if (call instanceof Promise) call.then(submit).catch(fail);
      else submit(call);
    } catch (cause) {
      fail(cause);
    }
    return () => {
      if (!end()) return false;
      withdraw();
      return true;
    };
  }

  #answered<A>(call: Call<A>, outputs: NamedTensors, timings: () => Inferred): Result<A> {
    try {
      return { answer: call.answer(outputs), timings: timings() };
    } catch (cause) {
      return { error: this.errorOf(cause) };
    }
  }

  /** What is no ProtocolError is a fault of ours: the client is told little, the log everything. */
  errorOf(cause: unknown): ProtocolError {
    if (cause instanceof ProtocolError) return cause;
    if (cause instanceof EngineError) return new ProtocolError(cause.kind, '', cause.message);
    this.#options.log.error({ err: cause }, 'request failed unexpectedly');
    return new ProtocolError('Internal', '', 'the server failed at this request; its log says why');
  }
}
