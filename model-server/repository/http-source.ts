/**
 * Models over `http://` and `https://`. A directory cannot be listed there, so what is fetched follows from the
 * names that every model has:
 *
 * - `…/NAME.tar.gz`, `.tgz`, `.tar` or `.zip`: an archive of any format, of version directories too;
 * - `…/model.json`, or a directory with one: TensorFlow.js, its weight shards named in `weightsManifest`;
 * - `…/saved_model.pb`, or a directory with one: a SavedModel without assets, its shards counted in
 *   `variables/variables.index`;
 * - with `spec.model.version` the directory of that name below the address.
 */
import { basename, join } from 'node:path';
import type { ModelSource } from '../../crds/model-service.ts';
import { authorization, refusalOf } from './http-credentials.ts';
import { request } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { MODEL_FILES } from './model-layout.ts';
import { stallWatch } from './persistence.ts';
import {
  ARCHIVE,
  type Fetched,
  fetchRemoteModel,
  type Part,
  type RemoteContext,
  type Workplace,
} from './remote-source.ts';
import type { LocalModel } from './repository.ts';
import { savedModelShards } from './saved-model-shards.ts';
import { SIGNATURE_FILES } from './signature-files.ts';
import { tfjsShards } from './tfjs-shards.ts';
import { statusFailure } from './transfer-error.ts';

/** @throws LoadError */
export async function fetchHttpModel(source: ModelSource, context: RemoteContext): Promise<LocalModel> {
  return fetchRemoteModel(source, context, (workplace) => {
    const transfer = new Transfer(workplace, context);
    return ARCHIVE.test(source.uri) ? transfer.archive() : transfer.directory();
  });
}

/** The files of one model, found by the names that they must have. */
class Transfer {
  readonly #workplace: Workplace;
  readonly #context: RemoteContext;

  constructor(workplace: Workplace, context: RemoteContext) {
    this.#workplace = workplace;
    this.#context = context;
  }

  async archive(): Promise<Fetched | 'unchanged'> {
    const { uri } = this.#workplace.source;
    return this.#workplace.archive(this.#part(uri), basename(uri));
  }

  async directory(): Promise<Fetched> {
    const { uri, format, version } = this.#workplace.source;
    const explicit = /^(.*)\/(model\.json|saved_model\.pb)$/.exec(uri);
    if (explicit && version !== undefined) {
      throw new LoadError(
        'VersionNotFound',
        `${uri} names one model, and spec.model.version is ${version}: remove spec.model.version, or give the directory that holds ${version}/`,
      );
    }
    const base =
      explicit?.[1] ?? [uri.replace(/\/+$/, ''), version].filter((part) => part !== undefined).join('/');
    const candidates = explicit?.[2] ? [explicit[2]] : candidateFiles(format);
    const problems: LoadError[] = [];
    for (const file of candidates) {
      try {
        await this.#file(base, file);
      } catch (error) {
        // Some stores answer 403 for a name that does not exist.
        if (!(error instanceof LoadError) || !['SourceNotFound', 'AccessDenied'].includes(error.reason))
          throw error;
        problems.push(error);
        continue;
      }
      await (file === MODEL_FILES.SavedModel ? this.#variables(base) : this.#weights(base));
      if (this.#workplace.source.signature) {
        for (const signature of SIGNATURE_FILES) await this.#optional(base, signature);
      }
      return { directory: this.#workplace.directory, version };
    }
    throw await this.#nothingThere(base, candidates, problems);
  }

  /** What to say when none of the files is there that would make a model. */
  async #nothingThere(base: string, candidates: string[], problems: LoadError[]): Promise<LoadError> {
    const denied = problems.every(({ reason }) => reason === 'AccessDenied') ? problems[0] : undefined;
    if (denied) return denied;
    const { uri, format, version } = this.#workplace.source;
    const other = await this.#firstThere(
      base,
      candidateFiles(undefined).filter((file) => !candidates.includes(file)),
    );
    if (other !== undefined && format) {
      return new LoadError(
        'FormatUnknown',
        `${base}/ holds ${other} and no ${MODEL_FILES[format]}, which spec.model.format ${format} needs: remove spec.model.format to have it detected`,
      );
    }
    const missing = `there is ${candidates.length > 1 ? 'neither' : 'no'} ${candidates.join(' nor ')} at ${base}/`;
    if (version === undefined) {
      return new LoadError(
        'SourceNotFound',
        `${missing}: give the directory of the model itself in spec.model.uri (over http it cannot be listed, so set spec.model.version for a version directory), or a .tar.gz of it`,
      );
    }
    const parent = uri.replace(/\/+$/, '');
    const unversioned = await this.#firstThere(parent, candidates);
    return new LoadError(
      'VersionNotFound',
      unversioned === undefined
        ? `${missing}: correct spec.model.version, which is ${version}, or spec.model.uri, which has to be the directory that holds ${version}/`
        : `${missing}, but ${parent}/ holds ${unversioned} itself: remove spec.model.version, which is ${version}, or give a directory that holds ${version}/ in spec.model.uri`,
    );
  }

  /** The first of some files that is there. What cannot be found out counts as absent: it only serves a sentence. */
  async #firstThere(base: string, files: string[]): Promise<string | undefined> {
    for (const file of files) if (await this.#isThere(`${base}/${file}`)) return file;
    return undefined;
  }

  async #isThere(url: string): Promise<boolean> {
    const watch = stallWatch(this.#workplace.means);
    try {
      watch.alive();
      const response = await request(this.#part(url), { range: 'bytes=0-0' }, watch.signal);
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    } finally {
      watch.end();
    }
  }

  /** The weight shards of a TensorFlow.js model. */
  async #weights(base: string): Promise<void> {
    const shards = await tfjsShards(join(this.#workplace.directory, 'model.json'), `${base}/model.json`);
    await this.#workplace.severally(shards, (shard) => this.#file(base, shard));
  }

  /** The variables of a SavedModel, and what other tools leave beside them, so that the digest covers it. */
  async #variables(base: string): Promise<void> {
    for (const extra of ['fingerprint.pb', 'keras_metadata.pb']) await this.#optional(base, extra);
    const index = 'variables/variables.index';
    if (!(await this.#optional(base, index))) return;
    const shards = await savedModelShards(join(this.#workplace.directory, index), `${base}/${index}`);
    await this.#workplace.severally(shards, (shard) => this.#file(base, `variables/${shard}`));
  }

  async #optional(base: string, path: string): Promise<boolean> {
    try {
      await this.#file(base, path);
      return true;
    } catch (error) {
      const absent = error instanceof LoadError && ['SourceNotFound', 'AccessDenied'].includes(error.reason);
      if (absent) return false;
      throw error;
    }
  }

  async #file(base: string, path: string): Promise<void> {
    const url = `${base}/${path.split('/').map(encodeURIComponent).join('/')}`;
    await this.#workplace.file(path, this.#part(url));
  }

  #part(url: string): Part {
    const { credentials } = this.#context;
    return {
      url,
      authorize: async () => authorization(await credentials.readSecret()),
      explain: async (response) => {
        await response.body?.cancel();
        return statusFailure(
          response.status,
          url,
          refusalOf(await credentials.readSecret(), credentials.name),
        );
      },
    };
  }
}

function candidateFiles(format: ModelSource['format']): string[] {
  return format ? [MODEL_FILES[format]] : [MODEL_FILES.TFJSGraph, MODEL_FILES.SavedModel];
}
