/**
 * The content-addressed cache of downloaded models:
 *
 *     models/<SHA-256>/…      a model directory, complete and verified; its name is its digest
 *     sources/<SHA-256>.json  what an address gave last, with the validators to ask whether it still does
 *     partial/<UUID>/…        work in progress; whatever lies there at the start is left over and removed
 *
 * A directory gets into `models/` by one rename, so whoever finds it there may use it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { ModelSource } from '../../crds/model-service.ts';

const SourceRecord = z.object({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  version: z.int().optional(),
  /** ETag per downloaded file; for an archive the one of the archive under its own name. */
  etags: z.record(z.string(), z.string()),
});
export type SourceRecord = z.infer<typeof SourceRecord>;

export interface ModelCache {
  /** An empty directory for work in progress. */
  partial(): Promise<string>;
  /** Moves a finished model directory to its place; another one of the same digest already there is as good. */
  admit(directory: string, digest: string): Promise<string>;
  /** The directory of a digest, or undefined when it is not in the cache. */
  find(digest: string): Promise<string | undefined>;
  /** What this address gave last, when its model is still in the cache. */
  recall(source: ModelSource): Promise<SourceRecord | undefined>;
  remember(source: ModelSource, record: SourceRecord): Promise<void>;
  /** Puts a file of a cached model into a new directory without copying its bytes. */
  reuse(digest: string, path: string, directory: string): Promise<void>;
  /** Removes all models but these and the one that was used last before them, to roll back to without a fetch. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

/** Makes the directories and removes what an earlier process left unfinished. */
export async function openCache(directory: string): Promise<ModelCache> {
  const [models, sources, partials] = ['models', 'sources', 'partial'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  await rm(partials, { recursive: true, force: true });
  await Promise.all([models, sources, partials].map((each) => mkdir(each, { recursive: true })));
  const placeOf = (digest: string) => join(models, digest.replace('sha256:', ''));
  const recordOf = (source: ModelSource) => join(sources, `${sourceKey(source)}.json`);

  const cache: ModelCache = {
    async partial() {
      const place = join(partials, randomUUID());
      await mkdir(place);
      return place;
    },
    async admit(finished, digest) {
      const place = placeOf(digest);
      try {
        await rename(finished, place);
      } catch (error) {
        const there = ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '');
        if (!there) throw error;
      }
      return place;
    },
    async find(digest) {
      const place = placeOf(digest);
      const found = await stat(place).catch(() => undefined);
      return found?.isDirectory() ? place : undefined;
    },
    async recall(source) {
      const text = await readFile(recordOf(source), 'utf8').catch(() => '');
      const record = SourceRecord.safeParse(parsed(text)).data;
      return record && (await cache.find(record.digest)) ? record : undefined;
    },
    async remember(source, record) {
      const temporary = join(partials, randomUUID());
      await writeFile(temporary, JSON.stringify(record));
      await rename(temporary, recordOf(source));
    },
    async reuse(digest, path, into) {
      await mkdir(dirname(join(into, path)), { recursive: true });
      await link(join(placeOf(digest), path), join(into, path));
    },
    async keep(digests) {
      const now = new Date();
      for (const digest of digests) await utimes(placeOf(digest), now, now).catch(() => {});
      const others = (await readdir(models)).filter((name) => !digests.has(`sha256:${name}`));
      const used = await Promise.all(
        others.map(async (name) => ({ name, at: (await stat(join(models, name))).mtimeMs })),
      );
      const removed = used.sort((a, b) => b.at - a.at).slice(1);
      for (const { name } of removed) await rm(join(models, name), { recursive: true, force: true });
    },
  };
  return cache;
}

/** Two sources with the same key give the same model as long as the address does. */
function sourceKey({ uri, version, format }: ModelSource): string {
  return createHash('sha256')
    .update(JSON.stringify([uri, version ?? null, format ?? null]))
    .digest('hex');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
