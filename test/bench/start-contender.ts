import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type Caller, callerTo } from './caller.ts';
import type { Contender, Contestant } from './contender.ts';
import type { BenchModel } from './models.ts';

/** Python with TensorFlow takes half a minute on a busy machine, and some start it more than once. */
const PATIENCE_SECONDS = 180;

/**
 * Starts a contender and asks until it has answered once.
 *
 * @throws Error when it ends, or does not answer in time; it has been ended then
 */
export async function startContender(
  contender: Contender,
  model: BenchModel,
  place: string,
): Promise<{ contestant: Contestant; firstAnswerSeconds: number }> {
  const port = await freePort();
  const startedAt = performance.now();
  const contestant = await contender.start(model, place, port);
  let end: string | undefined;
  void contestant.hasEnded.then((reason) => {
    end = reason;
  });
  const request = contestant.request('JSON', 1);
  if (!request) throw new Error(`${contender.name} takes no JSON`);
  const caller: Caller = callerTo(request.url);
  try {
    for (;;) {
      if ((await caller.ask(request, PATIENCE_SECONDS)).status === 200) break;
      const seconds = (performance.now() - startedAt) / 1000;
      if (end === undefined && seconds > PATIENCE_SECONDS) end = `no answer in ${PATIENCE_SECONDS} s`;
      if (end !== undefined) {
        await contestant.stop();
        throw new Error(end);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return { contestant, firstAnswerSeconds: (performance.now() - startedAt) / 1000 };
  } finally {
    caller.close();
  }
}

/** Nobody listens there; somebody else could take it in between, which has not been seen. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
