/** A batcher whose engine does what a test says, and when it says so. */
import type { Engine } from '../../../../model-server/engine/engine.ts';
import type { NamedTensors } from '../../../../model-server/protocol/tensor.ts';
import { Batcher, type BatcherSettings, type Outcome } from '../../../../model-server/serve/batcher.ts';
import { settled, TestClock } from '../clock.ts';

/** A run of the engine; it doubles what it is given. */
export interface Run {
  readonly id: string;
  readonly signature: string;
  readonly values: number[];
  readonly abreast: number | undefined;
  isOver: boolean;
  finish(outcome?: Error | ((values: number[]) => number[])): Promise<void>;
}

export interface Asked {
  answer: number[] | string | undefined;
  withdraw(): void;
}

/** Requests of its signature `double` may be joined. */
export const model = { id: 'm#1', joinable: new Set(['double']) };

export class Batching {
  readonly clock = new TestClock();
  readonly runs: Run[] = [];
  readonly events: string[] = [];
  readonly settings: BatcherSettings = {
    maxBatchSize: 4,
    maxDelayMilliseconds: 0,
    requestTimeoutSeconds: 30,
  };
  /** Runs that the engine has use for at once. */
  room = 1;
  readonly batcher: Batcher;

  constructor() {
    const engine: Pick<Engine, 'run' | 'isSaturated'> = {
      isSaturated: () => this.going.length >= this.room,
      run: (id, signature, inputs, { abreast } = {}) =>
        new Promise((resolve, reject) => {
          const values = numbers(inputs, 'x');
          this.runs.push({
            ...{ id, signature, values, abreast, isOver: false },
            async finish(outcome = (given) => given.map((value) => 2 * value)) {
              this.isOver = true;
              if (outcome instanceof Error) reject(outcome);
              else {
                const data = Float32Array.from(outcome(values));
                resolve(new Map([['y', { datatype: 'FP32', shape: [data.length], data }]]));
              }
              await settled();
            },
          });
        }),
    };
    this.batcher = new Batcher(
      engine as Engine,
      () => this.settings,
      {
        batchFinished: (requests, rows) => this.events.push(`batch ${requests}/${rows}`),
        requestStarted: (waited) => this.events.push(`started after ${waited}`),
        requestExpired: (waited) => this.events.push(`expired after ${waited}`),
      },
      this.clock,
    );
  }

  get going(): Run[] {
    return this.runs.filter(({ isOver }) => !isOver);
  }

  readonly ask = (values: number[], signature = 'double', to = model, timeoutSeconds?: number): Asked => {
    const inputs: NamedTensors = new Map([
      ['x', { datatype: 'FP32', shape: [values.length], data: Float32Array.from(values) }],
    ]);
    const asked: Asked = { answer: undefined, withdraw: () => {} };
    const done = (outcome: Outcome) => {
      if (asked.answer !== undefined) throw new Error('answered twice');
      asked.answer =
        'error' in outcome
          ? `${outcome.error.status} ${outcome.error.message}`
          : numbers(outcome.outputs, 'y');
    };
    asked.withdraw = this.batcher.submit({ model: to, signature, inputs, timeoutSeconds, done });
    return asked;
  };
}

const numbers = (tensors: NamedTensors, name: string) => [...(tensors.get(name)!.data as Float32Array)];
