/** The model's address, read with care: it may have been stored when other addresses were accepted. */
import type { ModelService } from '../../crds/model-service.ts';
import { type ModelUri, parseModelUri } from '../../crds/model-uri.ts';

/** The address in its parts, or a sentence that says why it has none. */
export function modelAddress({ spec }: Pick<ModelService, 'spec'>): ModelUri | { readonly problem: string } {
  try {
    return parseModelUri(spec.model.uri);
  } catch (error) {
    return { problem: (error as RangeError).message };
  }
}
