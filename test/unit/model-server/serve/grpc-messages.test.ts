import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MessageMeter } from '../../../../model-server/serve/grpc-messages.ts';
import { framed } from './grpc-client.ts';

const MOST = 10_000;

interface Message {
  readonly size: number;
  readonly isCompressed: boolean;
}

const bytesOf = ({ size, isCompressed }: Message) => framed(Buffer.alloc(size, 7), isCompressed);

const counted = ({ size, isCompressed }: Message) => (isCompressed ? Math.min(MOST, size * 1032) : size);

const anyMessages = fc.array(
  fc.record({ size: fc.oneof(fc.nat(20), fc.nat(MOST)), isCompressed: fc.boolean() }),
);

describe('messages in a stream', () => {
  test('count the same however the stream is cut, in order, and nothing is left over', () => {
    fc.assert(
      fc.property(anyMessages, fc.array(fc.integer({ min: 1, max: 5000 })), (messages, cuts) => {
        const meter = new MessageMeter(MOST);
        let stream = Buffer.concat(messages.map(bytesOf));
        let sum = 0;
        for (const cut of [...cuts, stream.length]) {
          const before = sum;
          sum += meter.add(stream.subarray(0, cut));
          expect(sum).toBeGreaterThanOrEqual(before);
          stream = stream.subarray(cut);
        }
        expect(sum).toBe(messages.reduce((total, message) => total + counted(message), 0));
        expect([meter.whole, meter.isPartial]).toEqual([messages.length, false]);
        expect(messages.map(() => meter.take())).toEqual(messages.map(counted));
        expect([meter.whole, meter.take()]).toEqual([0, 0]);
      }),
    );
  });

  test('that have not come to their end are partial, from the first byte of their head', () => {
    const bytes = bytesOf({ size: 3, isCompressed: false });
    const meter = new MessageMeter(MOST);
    expect(meter.isPartial).toBe(false);
    for (let at = 0; at < bytes.length - 1; at++) {
      meter.add(bytes.subarray(at, at + 1));
      expect([meter.isPartial, meter.whole]).toEqual([true, 0]);
    }
    meter.add(bytes.subarray(-1));
    expect([meter.isPartial, meter.whole]).toEqual([false, 1]);
  });
});
