/**
 * Loaded before the operator into its process (`node --import`), so that the operator itself need not know that it is
 * measured: counts its HTTP requests by what they ask, and tells what the process costs when the parent asks.
 */
import { subscribe } from 'node:diagnostics_channel';
import { requestName } from './request-name.ts';

/** What a process has used since it began. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
  /** By what they ask; see `requestName`. */
  readonly requests: Readonly<Record<string, number>>;
}

const requests: Record<string, number> = {};

subscribe('undici:request:create', (message) => {
  const { request } = message as { request: { method: string; path: string } };
  const name = requestName(request.method, request.path);
  requests[name] = (requests[name] ?? 0) + 1;
});

process.on('message', () => {
  const { user, system } = process.cpuUsage(); // microseconds
  const usage: Usage = {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    peakResidentBytes: process.resourceUsage().maxRSS * 1024,
    requests,
  };
  process.send!(usage);
});
process.channel?.unref(); // being measured keeps nobody alive
