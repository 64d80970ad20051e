/** What takes part in the server's benchmark: our server, and whoever is put beside it. */
import type { BenchModel } from './models.ts';

export type Protocol = 'JSON' | 'raw tensor';

/** What a client sends again and again. */
export interface ClientRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export interface Contender {
  /** Its column in the results. */
  readonly name: string;
  /**
   * Starts it, as somebody who knows it well would, with one model: a SavedModel, in `directory`. Resolves when it listens.
   * @param port free when this was called.
   */
  start(model: BenchModel, directory: string, port: number): Promise<Contestant>;
}

/** A contender that runs. */
export interface Contestant {
  /** Its first process; those that it starts count as well. */
  readonly pid: number;
  /** Resolves with what is known of the reason when its first process ends, wanted or not. */
  readonly hasEnded: Promise<string>;
  /** All that it has started and that still run, itself included. */
  processes(): number[];
  /**
   * An inference of so many rows; undefined where it does not speak the protocol.
   * @param inputShape of a row, the model's own when it is left out.
   */
  request(protocol: Protocol, rows: number, inputShape?: readonly number[]): ClientRequest | undefined;
  /** Ends it and all its processes. */
  stop(): Promise<void>;
}
