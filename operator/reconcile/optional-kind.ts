/**
 * Work on a kind that other projects define and that not every cluster has. It begins when the API server serves the kind,
 * ends when that is over, and begins again; nobody has to restart the operator after an installation of theirs.
 */
import type { Logger } from 'pino';
import { isKubeError, type KubeClient } from '../kube/client.ts';
import type { Resource } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';

/** How often an API server is asked: definitions come and go with installations. */
const ASK_EVERY_SECONDS = 60;

export interface OptionalKindTools {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default 60. */
  readonly askEverySeconds?: number;
}

/**
 * Never ends before `signal` aborts.
 *
 * @param versions of one kind, the preferred one first
 * @param work runs until its signal aborts, with the version that is served
 * @param onMissing told each time that the kind is certain not to be served
 */
export async function whileServed(
  versions: readonly Resource[],
  tools: OptionalKindTools,
  signal: AbortSignal,
  work: (resource: Resource, signal: AbortSignal) => Promise<void>,
  onMissing: () => void = () => {},
): Promise<void> {
  const { clock, log, askEverySeconds = ASK_EVERY_SECONDS } = tools;
  while (!signal.aborted) {
    const answers = await Promise.all(versions.map((version) => isServed(version, tools, signal)));
    const version = versions[answers.indexOf('Yes')];
    if (version) {
      const { apiVersion, kind } = version;
      log.info({ apiVersion, kind }, 'the API server serves a kind that is not everywhere');
      await untilGone(version, tools, signal, work);
      if (!signal.aborted) log.info({ apiVersion, kind }, 'the API server does not serve the kind any more');
    } else {
      if (answers.every((answer) => answer === 'No')) onMissing();
      await clock.sleep(askEverySeconds, signal);
    }
  }
}

async function untilGone(
  version: Resource,
  tools: OptionalKindTools,
  signal: AbortSignal,
  work: (resource: Resource, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { clock, askEverySeconds = ASK_EVERY_SECONDS } = tools;
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const asking = async () => {
    while (!either.aborted) {
      await clock.sleep(askEverySeconds, either);
      if (!either.aborted && (await isServed(version, tools, either)) === 'No') ending.abort();
    }
  };
  try {
    await Promise.all([work(version, either), asking()]);
  } finally {
    ending.abort();
  }
}

/** By discovery, which every account may ask. `Unknown` while the API server cannot say. */
async function isServed(
  { apiVersion, plural }: Resource,
  { client, log }: OptionalKindTools,
  signal: AbortSignal,
): Promise<'Yes' | 'No' | 'Unknown'> {
  try {
    const list = await client.request<{ resources: readonly { name: string }[] }>({
      method: 'GET',
      path: `/apis/${apiVersion}`,
      signal,
    });
    return list.resources.some(({ name }) => name === plural) ? 'Yes' : 'No';
  } catch (err) {
    if (isKubeError(err, 'notFound')) return 'No';
    if (!signal.aborted) log.warn({ err, apiVersion, plural }, 'whether the kind is served cannot be asked');
    return 'Unknown';
  }
}
