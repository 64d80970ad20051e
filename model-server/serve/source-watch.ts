import type { ModelSource } from '../../crds/model-service.ts';
import type { Repository } from '../repository/repository.ts';

/** What a look at an address finds. */
type Found = NonNullable<Awaited<ReturnType<Repository['look']>>>;

/**
 * Remembers looks at an address. Something new is taken once two looks in a row have found it the same, so that a version
 * directory which is still being written is left alone.
 */
export class SourceWatch {
  readonly #repository: Pick<Repository, 'look'>;
  /** Version and files at the last look, and at the last try to load them. */
  #seen: string | undefined;
  #tried: string | undefined;

  constructor(repository: Pick<Repository, 'look'>) {
    this.#repository = repository;
  }

  /** What is there now is about to be loaded. @throws LoadError */
  async noteTry(source: ModelSource): Promise<void> {
    this.#seen = this.#tried = seenAs(await this.#repository.look(source));
  }

  /** @returns undefined when nothing is found, or the address does not answer */
  async look(source: ModelSource): Promise<Found | undefined> {
    return await this.#repository.look(source).catch(() => undefined);
  }

  /** Takes note of what a look has found. */
  note(found: Found): { readonly isSettled: boolean; readonly isTried: boolean } {
    const seen = seenAs(found);
    const isSettled = seen === this.#seen;
    this.#seen = seen;
    return { isSettled, isTried: seen === this.#tried };
  }
}

function seenAs(found: Found | undefined): string | undefined {
  return found && `${found.version ?? ''} ${found.stamp}`;
}
