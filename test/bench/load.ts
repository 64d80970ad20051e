import autocannon from 'autocannon';
import { percentile } from './percentile.ts';

export interface Load {
  url: string;
  headers?: Record<string, string>;
  body: string | Buffer;
  /** Clients, each with one connection and one request at a time. */
  clients: number;
  seconds: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** Milliseconds from a request to its answer. */
  p99: number;
}

/** @throws Error when a request fails: a figure with failures in it says nothing. */
export async function measureLoad({ url, headers = {}, body, clients, seconds }: Load): Promise<LoadResult> {
  const milliseconds: number[] = [];
  const run = autocannon({ url, headers, body, connections: clients, duration: seconds, method: 'POST' });
  run.on('response', (_client, _status, _bytes, time) => milliseconds.push(time));
  const result = await run;
  const failed = result.errors + result.timeouts + result.non2xx;
  if (failed > 0) throw new Error(`${failed} of ${milliseconds.length + failed} requests to ${url} failed`);
  return { requestsPerSecond: result['2xx'] / result.duration, p99: percentile(milliseconds, 99) };
}
