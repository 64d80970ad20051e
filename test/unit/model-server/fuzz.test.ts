/** The fuzzer, shortened; `npm run fuzz` runs a million cases over each decoder. */
import { expect, test } from '@jest/globals';
import { campaign, inputOf } from '../../fuzz/campaign.ts';
import { DECODERS } from '../../fuzz/decoders.ts';

test.each(DECODERS.map((decoder) => [decoder.name, decoder] as const))(
  '%s: accepted or refused',
  (_, decoder) => {
    const { finding, accepted } = campaign(decoder, { cases: 3000, seed: 2 });
    expect(
      finding && [inputOf(decoder, 2, finding.number).toString('base64'), finding.error],
    ).toBeUndefined();
    expect(accepted).toBeGreaterThan(0);
  },
);

test('a decoder that fails otherwise than with a refusal is found, and its input is made again', () => {
  const [first] = DECODERS;
  const broken = {
    ...first!,
    decode(bytes: Buffer) {
      if (bytes.includes('null')) throw new TypeError('cannot read properties of null');
      first!.decode(bytes);
    },
  };
  const { finding } = campaign(broken, { cases: 3000, seed: 1 });
  expect(finding?.error).toBeInstanceOf(TypeError);
  expect(inputOf(broken, 1, finding!.number)).toEqual(finding!.input);
});
