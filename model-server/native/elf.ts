/**
 * As much of a 64-bit little-endian ELF shared library as binding its symbols takes: the tables of the dynamic linker,
 * read from the file and written back in place. Layouts: System V ABI (gABI), chapters 4 and 5.
 */
import type { FileHandle } from 'node:fs/promises';

const SECTION = { rela: 4, dynamic: 6, dynamicSymbols: 11 } as const;
const ALLOCATED = 2;
const DYNAMIC = { flags: 30, relativeCount: 0x6ffffff9 } as const;
const BIND_NOW = 8;
const ABSOLUTE = 0xfff1;
const SYMBOL_BYTES = 24;
const RELOCATION_BYTES = 24;

export interface DynamicSymbol {
  readonly name: string;
  /** 1 global, 2 weak, 10 one for the whole process. */
  readonly binding: number;
  /** 1 data, 2 function; others are not plain addresses. */
  readonly type: number;
  readonly isDefined: boolean;
  /** A number that does not move with the library. */
  readonly isAbsolute: boolean;
  readonly value: number;
}

export interface Relocation {
  /** Where it is to be applied. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: number;
  readonly addend: number;
}

interface Section {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly bytes: number;
  /** Of the section with its strings. */
  readonly link: number;
}

export class SharedLibrary {
  /** 62 is x86-64, 183 AArch64. */
  readonly machine: number;
  readonly #file: FileHandle;
  readonly #sections: readonly Section[];
  readonly #symbols: Buffer;
  readonly #strings: Buffer;
  /** Where the value of each entry lies in the file, and the value. */
  readonly #dynamic: ReadonlyMap<number, { readonly at: number; readonly value: number }>;

  private constructor(file: FileHandle, machine: number, sections: readonly Section[], tables: Tables) {
    this.#file = file;
    this.machine = machine;
    this.#sections = sections;
    this.#symbols = tables.symbols;
    this.#strings = tables.strings;
    this.#dynamic = tables.dynamic;
  }

  /** @throws Error when the file is no such library */
  static async read(file: FileHandle): Promise<SharedLibrary> {
    const header = await bytesAt(file, 0, 64);
    if (header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') {
      throw new Error('this is not a 64-bit little-endian ELF file');
    }
    const sections = await sectionsOf(file, header);
    const symbols = sections.find(({ type }) => type === SECTION.dynamicSymbols);
    const dynamic = sections.find(({ type }) => type === SECTION.dynamic);
    const strings = symbols && sections[symbols.link];
    if (!symbols || !strings || !dynamic) throw new Error('the file has no dynamic symbols');
    return new SharedLibrary(file, header.readUInt16LE(18), sections, {
      symbols: await bytesAt(file, symbols.offset, symbols.bytes),
      strings: await bytesAt(file, strings.offset, strings.bytes),
      dynamic: await entriesOf(file, dynamic),
    });
  }

  /** Whether all symbols are looked up when the library is loaded, none when it is called first. */
  get bindsNow(): boolean {
    return ((this.#dynamic.get(DYNAMIC.flags)?.value ?? 0) & BIND_NOW) !== 0;
  }

  get symbols(): DynamicSymbol[] {
    const count = this.#symbols.length / SYMBOL_BYTES;
    return Array.from({ length: count }, (_, index) => this.#symbolAt(index * SYMBOL_BYTES));
  }

  /**
   * Replaces relocations by what `change` makes of them, table by table. Those that only add the library's address go
   * first, in the order of what they change: the dynamic linker applies them in one sweep.
   *
   * @param relative the type of those
   */
  async changeRelocations(relative: number, change: (one: Relocation) => Relocation): Promise<void> {
    const tables = this.#sections.filter(({ type, flags }) => type === SECTION.rela && flags & ALLOCATED);
    for (const [index, { offset, bytes }] of tables.entries()) {
      const before = relocationsIn(await bytesAt(this.#file, offset, bytes));
      const after = before.map(change);
      const swept = after.filter(({ type }) => type === relative).sort((a, b) => a.offset - b.offset);
      const others = after.filter(({ type }) => type !== relative);
      await this.#file.write(relocationBytes([...swept, ...others]), 0, bytes, offset);
      if (index === 0) await this.#setRelativeCount(swept.length);
    }
  }

  async #setRelativeCount(count: number): Promise<void> {
    const entry = this.#dynamic.get(DYNAMIC.relativeCount);
    if (entry) await this.#file.write(wordBytes(count), 0, 8, entry.at);
  }

  #symbolAt(at: number): DynamicSymbol {
    const nameAt = this.#symbols.readUInt32LE(at);
    const info = this.#symbols[at + 4]!;
    return {
      name: this.#strings.toString('latin1', nameAt, this.#strings.indexOf(0, nameAt)),
      binding: info >> 4,
      type: info & 15,
      isDefined: this.#symbols.readUInt16LE(at + 6) !== 0,
      isAbsolute: this.#symbols.readUInt16LE(at + 6) === ABSOLUTE,
      value: wordAt(this.#symbols, at + 8),
    };
  }
}

type DynamicEntries = ReadonlyMap<number, { readonly at: number; readonly value: number }>;
interface Tables {
  readonly symbols: Buffer;
  readonly strings: Buffer;
  readonly dynamic: DynamicEntries;
}

async function sectionsOf(file: FileHandle, header: Buffer): Promise<Section[]> {
  const [bytes, count] = [header.readUInt16LE(58), header.readUInt16LE(60)];
  const table = await bytesAt(file, wordAt(header, 40), bytes * count);
  return Array.from({ length: count }, (_, index) => {
    const entry = table.subarray(index * bytes);
    return {
      type: entry.readUInt32LE(4),
      flags: wordAt(entry, 8),
      offset: wordAt(entry, 24),
      bytes: wordAt(entry, 32),
      link: entry.readUInt32LE(40),
    };
  });
}

async function entriesOf(file: FileHandle, { offset, bytes }: Section): Promise<DynamicEntries> {
  const section = await bytesAt(file, offset, bytes);
  const entries = new Map<number, { at: number; value: number }>();
  for (let at = 0; at < bytes && wordAt(section, at) !== 0; at += 16) {
    entries.set(wordAt(section, at), { at: offset + at + 8, value: wordAt(section, at + 8) });
  }
  return entries;
}

function relocationsIn(table: Buffer): Relocation[] {
  return Array.from({ length: table.length / RELOCATION_BYTES }, (_, index) => {
    const at = index * RELOCATION_BYTES;
    return {
      offset: wordAt(table, at),
      type: table.readUInt32LE(at + 8),
      symbol: table.readUInt32LE(at + 12),
      addend: wordAt(table, at + 16),
    };
  });
}

function relocationBytes(relocations: readonly Relocation[]): Buffer {
  const table = Buffer.alloc(relocations.length * RELOCATION_BYTES);
  for (const [index, { offset, type, symbol, addend }] of relocations.entries()) {
    const at = index * RELOCATION_BYTES;
    wordBytes(offset).copy(table, at);
    table.writeUInt32LE(type, at + 8);
    table.writeUInt32LE(symbol, at + 12);
    wordBytes(addend).copy(table, at + 16);
  }
  return table;
}

async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at);
  if (bytesRead < length) throw new Error(`the file ends at ${at + bytesRead}, within a table`);
  return buffer;
}

/** 64 bits with a sign. Addresses and addends are below 2^53. */
function wordAt(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}

function wordBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(Math.floor(value / 2 ** 32), 4);
  bytes.writeUInt32LE(value - Math.floor(value / 2 ** 32) * 2 ** 32, 0);
  return bytes;
}
