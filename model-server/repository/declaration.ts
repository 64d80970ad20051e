/** `aicity.json`: what a model says of itself, in a file beside its own. What it may say is `protocol/forecast-model.ts`'. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LoadError } from './load-error.ts';
import type { LocalModel } from './repository.ts';

const declarationFile = 'aicity.json';
/** It is a page of text at most. */
const MOST_CHARACTERS = 65_536;

/** The model with the text of its declaration, if it has one. @throws LoadError ModelInvalid when it is no short text. */
export async function withDeclaration(model: LocalModel): Promise<LocalModel> {
  try {
    const declaration = await readFile(join(model.directory, declarationFile), 'utf8');
    if (declaration.length <= MOST_CHARACTERS) return { ...model, declaration };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return model;
    throw new LoadError('ModelInvalid', `${declarationFile} cannot be read: ${(error as Error).message}`);
  }
  throw new LoadError('ModelInvalid', `${declarationFile} has more than ${MOST_CHARACTERS} characters`);
}
