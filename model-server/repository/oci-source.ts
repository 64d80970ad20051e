/**
 * Models as artifacts in a registry (`oci://`), as ORAS and others push them
 * (https://github.com/opencontainers/distribution-spec/blob/main/spec.md): a manifest names the layers by their digests,
 * and nothing counts that has another one.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ModelSource } from '../../crds/model-service.ts';
import type { ModelUri } from '../../crds/model-uri.ts';
import { type RequestHeaders, requestText } from './http-request.ts';
import { LoadError } from './load-error.ts';
import { answerTo, loginOf, parseChallenge, refusal } from './oci-access.ts';
import { describe, MANIFEST_TYPES, type ModelLayer } from './oci-manifest.ts';
import {
  type Fetched,
  fetchRemoteModel,
  modelWithin,
  type Part,
  type RemoteContext,
  type Workplace,
} from './remote-source.ts';
import type { LocalModel } from './repository.ts';
import { type Failure, statusFailure } from './transfer-error.ts';

export type OciUri = Extract<ModelUri, { scheme: 'oci' }>;

/** An index may name an index; a longer chain is no artifact. */
const MOST_INDEXES = 3;
/** No token ends sooner, so an earlier refusal is one. */
const TOKEN_MILLISECONDS = 30_000;
/** Go's name of this machine's processor, as platforms in an index are called. */
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/**
 * @param plainHttp registries (`HOST:PORT`) that speak HTTP without TLS; those on this machine are assumed to.
 * @throws LoadError
 */
export function fetchOciModel(
  source: ModelSource,
  uri: OciUri,
  plainHttp: readonly string[],
  context: RemoteContext,
): Promise<LocalModel> {
  return fetchRemoteModel(source, context, (workplace) =>
    new Registry(source.uri, uri, plainHttp, context).bring(workplace),
  );
}

/** One repository of one registry, with the token that it has given. */
class Registry {
  readonly #place: string;
  readonly #uri: OciUri;
  readonly #base: URL;
  readonly #context: RemoteContext;
  #headers: RequestHeaders = {};
  #loggedInAt = Number.NEGATIVE_INFINITY;

  constructor(place: string, uri: OciUri, plainHttp: readonly string[], context: RemoteContext) {
    this.#place = place;
    this.#uri = uri;
    this.#context = context;
    const host = uri.registry === 'docker.io' ? 'registry-1.docker.io' : uri.registry;
    const local = /^(localhost|127\.0\.0\.1)(:|$)/.test(uri.registry);
    const scheme = local || plainHttp.includes(uri.registry) ? 'http' : 'https';
    this.#base = new URL(`${scheme}://${host}/v2/${uri.repository}/`);
  }

  async bring(workplace: Workplace): Promise<Fetched | 'unchanged'> {
    const { digest, layers } = await this.#layers();
    workplace.etags['manifest'] = digest;
    if (workplace.known('manifest') === digest) return 'unchanged';
    const model = join(workplace.directory, 'model');
    await workplace.severally([...layers.entries()], async ([index, layer]) => {
      if (layer.path !== undefined) await workplace.raw(this.#blob(layer), join(model, layer.path));
      else await workplace.raw(this.#blob(layer), archiveOf(workplace, index));
    });
    // One after the other, as the layers of an image lie over each other.
    for (const [index, layer] of layers.entries()) {
      if (layer.path === undefined) await workplace.unpack(archiveOf(workplace, index), model, this.#place);
    }
    return modelWithin(model, workplace.source, this.#place);
  }

  /** Follows the tag or digest through indexes to a manifest. */
  async #layers(): Promise<{ digest: string; layers: ModelLayer[] }> {
    await this.#logIn();
    let reference = this.#uri.digest ?? this.#uri.tag ?? '';
    for (let depth = 0; depth <= MOST_INDEXES; depth++) {
      const text = await this.#manifest(reference);
      const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
      if (reference.startsWith('sha256:') && digest !== reference) {
        throw new LoadError(
          'DigestMismatch',
          `the manifest at ${this.#place} has the digest ${digest} and must have ${reference}: the registry gives something else than was pushed`,
        );
      }
      const described = describe(text, this.#place, ARCHITECTURE);
      if (described.kind === 'layers') return { digest, layers: described.layers };
      reference = described.digest;
    }
    throw new LoadError('FormatUnknown', `${this.#place} leads through more than ${MOST_INDEXES} indexes`);
  }

  async #manifest(reference: string): Promise<string> {
    const target = {
      url: new URL(`manifests/${reference}`, this.#base).href,
      place: this.#place,
      headers: { accept: MANIFEST_TYPES.join(', ') },
      authorize: async () => this.#headers,
      explain: (response: Response) => this.#failure(response),
    };
    return (await requestText(target, this.#context)).text;
  }

  #blob({ digest, size }: ModelLayer): Part {
    return {
      url: new URL(`blobs/${digest}`, this.#base).href,
      place: `the layer ${digest.slice(0, 19)}… (${size} bytes) of ${this.#place}`,
      authorize: async () => this.#headers,
      explain: (response) => this.#failure(response),
      immutable: true,
      sha256: digest.slice('sha256:'.length),
    };
  }

  /** What the registry asks for before it answers, found out by asking for what everybody may see. */
  async #logIn(): Promise<void> {
    const { credentials } = this.#context;
    const login = loginOf(await credentials.readSecret(), this.#uri.registry, credentials.name);
    this.#loggedInAt = this.#context.clock.monotonicMilliseconds();
    let challenge = undefined as ReturnType<typeof parseChallenge>;
    const explain = async (response: Response): Promise<Failure> => {
      challenge =
        response.status === 401 ? parseChallenge(response.headers.get('www-authenticate')) : undefined;
      await response.body?.cancel();
      return statusFailure(response.status, this.#place, refusal(login));
    };
    const url = new URL('/v2/', this.#base);
    try {
      await requestText({ url: url.href, place: this.#place, explain }, this.#context);
    } catch (error) {
      if (challenge === undefined) throw error;
      const scope = `repository:${this.#uri.repository}:pull`;
      const { scheme, parameters } = challenge;
      const asked = { scheme, parameters: { ...parameters, scope } };
      this.#headers = await answerTo(asked, login, url, this.#place, this.#context);
    }
  }

  async #failure(response: Response): Promise<Failure> {
    await response.body?.cancel();
    const { credentials, clock } = this.#context;
    // Tokens end after minutes, and a large layer takes longer: then another one, and on from where it was.
    if (response.status === 401 && clock.monotonicMilliseconds() - this.#loggedInAt > TOKEN_MILLISECONDS) {
      await this.#logIn();
      const sentence = `${this.#place} no longer takes its token`;
      return { transient: true, error: new LoadError('AccessDenied', sentence) };
    }
    const login = loginOf(await credentials.readSecret(), this.#uri.registry, credentials.name);
    if (response.status === 404) {
      const sentence = `there is nothing at ${this.#place}: correct the repository and the tag or digest`;
      return { transient: false, error: new LoadError('SourceNotFound', sentence) };
    }
    return statusFailure(response.status, this.#place, refusal(login));
  }
}

function archiveOf(workplace: Workplace, index: number): string {
  return join(workplace.directory, `layer-${index}`);
}
