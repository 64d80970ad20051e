import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  expectedDigest,
  type Origin,
  repositoryIn,
  savedModel,
  startOrigin,
  temporaryDirectory,
  tfjsModel,
} from './origin.ts';

interface Member {
  name: string;
  content: string | Uint8Array;
  /** As a Unix tool writes it. */
  mode?: number;
  flags?: number;
  /** What it says of its size, where that is a lie. */
  claimedSize?: number;
}

/** A zip archive (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT), also one that no tool would write. */
function zip(members: readonly Member[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, mode = 0o100_644, flags = 0x800, claimedSize } of members) {
    const data = Buffer.from(content);
    const packed = deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(claimedSize ?? data.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(at, 10);
    const madeBy = Buffer.from([20, 3]);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), madeBy, common, tail, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(index.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...parts, index, Buffer.from('PK\x05\x06'), end]);
}

const members = (files: Record<string, string | Uint8Array>) =>
  Object.entries(files).map(([name, content]) => ({ name, content }));

let origin: Origin;
let home: string;
beforeEach(async () => {
  home = await temporaryDirectory();
  origin = await startOrigin({});
});
afterEach(async () => {
  await origin.close();
  await rm(home, { recursive: true });
});

async function outcome(archive: Uint8Array, maxModelBytes?: number) {
  origin.files['m.zip'] = archive;
  const repository = await repositoryIn(home, maxModelBytes);
  return repository
    .fetch({ uri: `${origin.url}/m.zip` }, () => {}, new AbortController().signal)
    .then(
      ({ digest, version }) => ({ digest, ...(version === undefined ? {} : { version }) }),
      ({ reason, message }) => ({ reason, message }),
    );
}

test.each([
  ['a TensorFlow.js model', members(tfjsModel), { digest: expectedDigest(tfjsModel) }],
  ['a SavedModel', members(savedModel), { digest: expectedDigest(savedModel) }],
  [
    'version directories, with entries of their own',
    [
      { name: '3/', content: '', mode: 0o040_755 },
      ...members(tfjsModel).map(({ name, content }) => ({ name: `3/${name}`, content })),
    ],
    { digest: expectedDigest(tfjsModel), version: 3 },
  ],
])('%s is unpacked', async (_what, entries, model) => expect(await outcome(zip(entries))).toEqual(model));

test.each<[string, Member[], string, RegExp]>([
  [
    'climbs out',
    [{ name: '../model.json', content: '{}' }],
    'FormatUnknown',
    /\.\.|leads out of the archive/,
  ],
  [
    'is absolute',
    [{ name: '/model.json', content: '{}' }],
    'FormatUnknown',
    /absolute|leads out of the archive/,
  ],
  [
    'is a link',
    [{ name: 'model.json', content: '/etc/passwd', mode: 0o120_777 }],
    'FormatUnknown',
    /the link or special file "model.json"/,
  ],
  ['is encrypted', [{ name: 'model.json', content: '{}', flags: 0x801 }], 'FormatUnknown', /encrypted file/],
  [
    'is there twice',
    [
      { name: 'model.json', content: '{}' },
      { name: 'model.json', content: '[]' },
    ],
    'FormatUnknown',
    /a file twice/,
  ],
  [
    'unpacks to more than the bound',
    [{ name: 'model.json', content: '0'.repeat(3 << 20) }],
    'ModelInvalid',
    /MODEL_SERVER_MAX_MODEL_BYTES/,
  ],
  [
    'unpacks to more than it says',
    [{ name: 'model.json', content: '0'.repeat(3 << 20), claimedSize: 10 }],
    'FormatUnknown',
    /no readable tar or zip archive/,
  ],
  ['is missing', [], 'FormatUnknown', /archive without files/],
])('an entry that %s is refused', async (_what, entries, reason, message) => {
  expect(await outcome(zip(entries), 1 << 20)).toEqual({ reason, message: expect.stringMatching(message) });
  expect(await readdir(join(home, 'cache/models'))).toEqual([]);
});

test('an archive that is cut off is refused', async () => {
  const whole = zip(members(tfjsModel));
  for (const length of [5, whole.length >> 1, whole.length - 1]) {
    expect(await outcome(whole.subarray(0, length))).toMatchObject({ reason: 'FormatUnknown' });
  }
});
