import type { LoadErrorReason } from '../../crds/load-report.ts';

/**
 * How soon trying again may help. `soon`: the way to the model is at fault, so from a second on. `later`: what is
 * at the address is at fault; somebody may put it right, so from half a minute on.
 */
export type RetryPace = 'soon' | 'later';

const PACES: Readonly<Record<LoadErrorReason, RetryPace>> = {
  SourceUnreachable: 'soon',
  SourceNotFound: 'soon',
  VersionNotFound: 'soon',
  AccessDenied: 'later',
  DigestMismatch: 'later',
  SignatureMissing: 'later',
  SignatureInvalid: 'later',
  FormatUnknown: 'later',
  ModelInvalid: 'later',
  OutOfMemory: 'later',
  WarmUpFailed: 'later',
  EngineFailed: 'later',
};

/** Why the wanted model cannot be served. `message` is a sentence that says what was found and what helps. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
  readonly reason: LoadErrorReason;
  readonly pace: RetryPace;

  constructor(reason: LoadErrorReason, sentence: string, pace: RetryPace = PACES[reason]) {
    super(sentence);
    this.reason = reason;
    this.pace = pace;
  }
}
