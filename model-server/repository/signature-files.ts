/** Files of a model's directory that hold its signature; see `signature.ts`. */
export const SIGNATURE_FILES = ['model.sig', 'model.sigstore.json'] as const;
