/** A SavedModel's session, replaced by one in which its variables are constants. */
import { freeMemory } from '../../free-memory.ts';
import { type Handle, type NativeOutput, reasonOf, type SessionAddon, sessionConfig } from '../addon.ts';
import type { ServingGraph } from '../saved-model.ts';
import { type Freezable, freezable } from './freeze.ts';
import { NotFreezable } from './not-freezable.ts';

/**
 * Variables of more than this stay what they are: as constants they take three times their memory or more, and the larger
 * the weights, the less there is to gain.
 */
const MOST_BYTES = 32 * 2 ** 20;

/**
 * @param same signatures that are not needed, since others compute the same.
 * @throws NotFreezable with the reason why the model has to run as it is.
 */
export function freezableModel(
  { view, signatures, hasAssets }: ServingGraph,
  same: ReadonlyMap<string, string>,
): Freezable {
  if (hasAssets) throw new NotFreezable('it fills tables from files');
  const needed = signatures.filter(({ name }) => !same.has(name));
  const tensors = needed.flatMap(({ inputs, outputs }) =>
    [...inputs, ...outputs].map(({ tensorName }) => tensorName),
  );
  const model = freezable(view, tensors);
  const bytes = model.variables.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (bytes > MOST_BYTES) {
    const [found, most] = [bytes, MOST_BYTES].map((size) => Math.ceil(size / 2 ** 20));
    throw new NotFreezable(`its variables have ${found} MiB, more than ${most}`);
  }
  return model;
}

/**
 * @param restored the model's session with its variables; stays open.
 * @throws NotFreezable when TensorFlow does not take the new graph.
 */
export async function frozenSession(
  native: SessionAddon,
  restored: Handle<'session'>,
  { variables, write }: Freezable,
): Promise<Handle<'session'>> {
  const names = variables.map(({ name }) => name);
  const read = async () => (await native.run(native.prepareReads(restored, names), [], [])).outputs;
  // TensorFlow runs nothing for nothing.
  const values = names.length > 0 ? (await read()).map(toValue) : [];
  try {
    return await native.importGraph(write(values).pieces, sessionConfig('Runs'));
  } catch (error) {
    throw new NotFreezable(`TensorFlow does not take its graph: ${reasonOf(error)}`);
  } finally {
    for (const { bytes } of values) freeMemory(bytes);
  }
}

/** Variables of texts are not frozen. */
const toValue = ({ shape, data }: NativeOutput) => ({ shape, bytes: new Uint8Array(data as ArrayBuffer) });
