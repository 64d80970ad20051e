import { LoadError } from './load-error.ts';

/** An error of the file system, known by its code. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof code === 'string' && typeof syscall === 'string';
}

/** What a failed file operation means for whoever wants the model. */
export function readableSentence(error: NodeJS.ErrnoException, place: string): LoadError {
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return new LoadError(
        'AccessDenied',
        `${place} may not be read by user ${process.getuid?.() ?? '?'} (${error.code}): make the files readable for it or for the pod's fsGroup`,
      );
    case 'EEXIST':
      return new LoadError('FormatUnknown', `${place} holds a file twice: pack every file once`);
    case 'ENOSPC':
    case 'EDQUOT':
      return new LoadError(
        'OutOfMemory',
        `the model cache is full (${error.code}) while fetching ${place}: raise the ephemeral-storage limit, or serve the model from a volume with pvc://`,
      );
    default:
      return new LoadError(
        'SourceUnreachable',
        `${place} cannot be read (${error.code}): look at the volume`,
      );
  }
}
