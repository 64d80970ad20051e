/** Many inputs for one decoder. */
import { type Decoder, isRefusal } from './decoders.ts';
import { mutated, randomFrom } from './mutation.ts';

export interface Finding {
  /** Of the case that failed; with the same seed it is made again. */
  readonly number: number;
  readonly input: Buffer;
  readonly error: unknown;
}

export interface Campaign {
  readonly cases: number;
  readonly accepted: number;
  readonly slowestMilliseconds: number;
  readonly finding?: Finding;
}

/** Input number `number` of a seed. */
export function inputOf({ seeds }: Pick<Decoder, 'seeds'>, seed: number, number: number): Buffer {
  return mutated(seeds, randomFrom(Math.imul(seed, 0x9e3779b1) ^ number));
}

/** Runs until a decoder fails otherwise than with a refusal, or all cases are done. @param begun hears of each case. */
export function campaign(
  decoder: Decoder,
  { cases, seed, begun }: { cases: number; seed: number; begun?: (number: number) => void },
): Campaign {
  let accepted = 0;
  let slowestMilliseconds = 0;
  for (let number = 0; number < cases; number++) {
    begun?.(number);
    const input = inputOf(decoder, seed, number);
    const startedAt = performance.now();
    try {
      decoder.decode(input);
      accepted++;
    } catch (error) {
      if (!isRefusal(error))
        return { cases: number + 1, accepted, slowestMilliseconds, finding: { number, input, error } };
    }
    slowestMilliseconds = Math.max(slowestMilliseconds, performance.now() - startedAt);
  }
  return { cases, accepted, slowestMilliseconds };
}
