/**
 * What a registry says that an artifact consists of (https://github.com/opencontainers/image-spec/blob/main/manifest.md
 * and image-index.md), and what each layer is to the model. Pure.
 */
import * as z from 'zod';
import { LoadError } from './load-error.ts';
import { MAX_FILES } from './model-files.ts';
import { ARCHIVE } from './remote-source.ts';
import { safeRelativePath } from './safe-path.ts';

/** In the order of preference; the docker ones are what older tools push. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const;

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const Layer = z.object({
  mediaType: z.string(),
  digest: Digest,
  size: z.int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
});

const Manifest = z.object({ layers: z.array(Layer) });

const Index = z.object({
  manifests: z.array(
    z.object({
      digest: Digest,
      annotations: z.record(z.string(), z.string()).optional(),
      platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});

/** A blob, and what becomes of it. */
export interface ModelLayer {
  digest: string;
  size: number;
  /** Where the file belongs; absent: it is an archive of files. */
  path?: string;
}

export type Described = { kind: 'index'; digest: string } | { kind: 'layers'; layers: ModelLayer[] };

/** ORAS writes the file's name here. */
const TITLE = 'org.opencontainers.image.title';
/** And this beside a directory that it has packed. */
const UNPACK = 'io.deis.oras.content.unpack';
/** The name in artifacts of the CNCF's model specification. */
const MODEL_PATH = 'org.cncf.model.filepath';
/** What build tools add to an index beside the images. */
const REFERENCE_TYPE = 'vnd.docker.reference.type';

/**
 * Reads a manifest or an index.
 * @param architecture in Go's words, to choose among images for several.
 * @throws LoadError FormatUnknown
 */
export function describe(text: string, place: string, architecture: string): Described {
  const document = json(text);
  const index = Index.safeParse(document);
  if (index.success) return { kind: 'index', digest: chosen(index.data, place, architecture) };
  const manifest = Manifest.safeParse(document);
  if (!manifest.success) {
    const [issue] = manifest.error.issues;
    throw unknown(
      `${place} is no artifact that is understood (${issue?.path.join('.') || 'the manifest'}: ${issue?.message}): push the model with ORAS or as an OCI artifact`,
    );
  }
  const { layers } = manifest.data;
  if (layers.length === 0) throw unknown(`${place} has no layers: push the files of the model with it`);
  if (layers.length > MAX_FILES) throw unknown(`${place} has more than ${MAX_FILES} layers`);
  const described = layers.map((layer) => modelLayer(layer, place));
  const paths = described.flatMap(({ path }) => path ?? []);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw unknown(`${place} has two layers named ${JSON.stringify(twice)}`);
  return { kind: 'layers', layers: described };
}

function chosen({ manifests }: z.infer<typeof Index>, place: string, architecture: string): string {
  const candidates = manifests.filter(({ annotations }) => annotations?.[REFERENCE_TYPE] === undefined);
  const [only] = candidates;
  if (only && candidates.length === 1) return only.digest;
  const fitting = candidates.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (fitting) return fitting.digest;
  throw unknown(
    `${place} is an index of ${candidates.length} manifests, none of them for linux/${architecture}: give the digest of the one that is meant`,
  );
}

function modelLayer(
  { mediaType, digest, size, annotations = {} }: z.infer<typeof Layer>,
  place: string,
): ModelLayer {
  const title = annotations[TITLE] ?? annotations[MODEL_PATH];
  // ORAS calls single files tar layers, too: only its mark of a packed directory tells them apart.
  const packed =
    title === undefined
      ? /[.+](tar|tar[+.]gzip|tgz)$|^application\/(x-)?(tar|gzip)$/.test(mediaType)
      : annotations[UNPACK] === 'true' || ARCHIVE.test(title) || isModelTar(mediaType, annotations);
  if (packed) return { digest, size };
  if (title === undefined) {
    throw unknown(
      `${place} has a layer of the type ${JSON.stringify(mediaType.slice(0, 100))} without a name: expected tar, tar+gzip, or the annotation ${TITLE}`,
    );
  }
  const path = safeRelativePath(title);
  if (path !== undefined) return { digest, size, path };
  throw unknown(
    `${place} has a layer named ${JSON.stringify(title.slice(0, 200))}, which leads out of the model: give relative names without ..`,
  );
}

/** The CNCF's model specification names the archive's kind in the media type. */
function isModelTar(mediaType: string, annotations: Readonly<Record<string, string>>): boolean {
  return (
    annotations[TITLE] === undefined && /^application\/vnd\.cncf\.model\..*\.tar(\+gzip)?$/.test(mediaType)
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unknown(sentence: string): LoadError {
  return new LoadError('FormatUnknown', sentence);
}
