/** A SavedModel's session, replaced by one in which its variables are constants. */
import { freeMemory } from '../../free-memory.ts';
import { type Handle, type NativeOutput, reasonOf, type SessionAddon } from '../addon.ts';
import type { MetaGraph } from '../saved-model.ts';
import { freezable } from './freeze.ts';
import { NotFreezable } from './not-freezable.ts';

/**
 * Variables of more than this stay what they are: as constants they take three times their memory or more, and the larger
 * the weights, the less there is to gain.
 */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * @param session with the variables' values; stays open.
 * @param config of the new session.
 * @throws NotFreezable with the reason why the model has to run as it is.
 */
export async function frozenSession(
  native: SessionAddon,
  session: Handle<'session'>,
  { graphDef, signatures, hasAssets }: MetaGraph,
  config: Uint8Array,
): Promise<Handle<'session'>> {
  if (hasAssets) throw new NotFreezable('it fills tables from files');
  const tensors = signatures.flatMap(({ inputs, outputs }) =>
    [...inputs, ...outputs].map(({ tensorName }) => tensorName),
  );
  const { variables, write } = freezable(graphDef, tensors);
  const bytes = variables.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (bytes > MOST_BYTES) {
    throw new NotFreezable(
      `its variables have ${Math.ceil(bytes / 2 ** 20)} MiB, more than ${MOST_BYTES / 2 ** 20}`,
    );
  }
  const reads = native.prepareReads(
    session,
    variables.map(({ name }) => name),
  );
  const values = (await native.run(reads, [], [])).outputs.map(toValue);
  try {
    return await native.importGraph(write(values).pieces, config);
  } catch (error) {
    throw new NotFreezable(`TensorFlow does not take its graph: ${reasonOf(error)}`);
  } finally {
    for (const { bytes } of values) freeMemory(bytes);
  }
}

/** Variables of texts are not frozen. */
const toValue = ({ shape, data }: NativeOutput) => ({ shape, bytes: new Uint8Array(data as ArrayBuffer) });
