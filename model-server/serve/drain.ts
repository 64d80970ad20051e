/**
 * The end of a replica: nothing that was accepted is lost. Not ready at once; requests are still let in for a while,
 * since proxies learn of it late; every answer closes its connection; what is in flight is finished.
 */
import type { Server } from 'node:http';
import { Server as TcpServer } from 'node:net';
import type { Logger } from 'pino';
import { type Clock, sleep } from '../clock.ts';

export interface Drain {
  server: Server;
  clock: Clock;
  log: Logger;
  lagSeconds: number;
  limitSeconds: number;
  /** Aborted when somebody does not want to wait for the lag any longer. */
  hurry: AbortSignal;
}

/** For requests on connections that were accepted just before listening ended. */
const LAST_CALL_SECONDS = 0.5;
const IDLE_CHECK_SECONDS = 0.1;

/**
 * Call it once the server says that it is not ready and its answers say `Connection: close`.
 * @returns whether everything was answered within the limit.
 */
export async function drain({
  server,
  clock,
  log,
  lagSeconds,
  limitSeconds,
  hurry,
}: Drain): Promise<boolean> {
  log.info({ lagSeconds, limitSeconds }, 'draining: requests are still let in for a while');
  await sleep(clock, lagSeconds, hurry);
  // Not server.close() of node:http, which at once cuts connections whose request is still on its way.
  const closed = new Promise<'closed'>((resolve) =>
    TcpServer.prototype.close.call(server, () => resolve('closed')),
  );
  const limit = sleep(clock, limitSeconds).then(() => 'late' as const);
  await Promise.race([closed, sleep(clock, LAST_CALL_SECONDS)]);
  for (;;) {
    server.closeIdleConnections();
    const outcome = await Promise.race([closed, limit, sleep(clock, IDLE_CHECK_SECONDS)]);
    if (outcome === 'closed') return true;
    if (outcome === 'late') {
      log.error({ limitSeconds }, 'drain limit reached: requests in flight are lost');
      server.closeAllConnections();
      return false;
    }
  }
}
