/**
 * Looks up at build time what the dynamic linker would look up again in every process: TensorFlow's library refers to its
 * own symbols by name half a million times, and to resolve them was half of the processor time of a model server's start.
 *
 * A reference is bound to the library's own definition, by turning its relocation into one that only adds the library's
 * address, where no other library could have been meant:
 *
 * - the symbol is a plain function or variable that the library defines, not one that is to be the same in the whole process;
 * - none of the libraries that it is loaded with defines it;
 * - it is not of C++'s own library, of which another version may be there when it runs.
 */
import { open } from 'node:fs/promises';
import { type DynamicSymbol, type Relocation, SharedLibrary } from './elf.ts';

/** Types of relocations. System V ABI supplements for x86-64 (4.4.1) and AArch64 (5.7). */
interface Machine {
  readonly relative: number;
  readonly absolute: number;
  /** Of the global offset table and of the procedure linkage table. */
  readonly slots: readonly number[];
}

const MACHINES: Readonly<Record<number, Machine>> = {
  62: { relative: 8, absolute: 1, slots: [6, 7] },
  183: { relative: 1027, absolute: 257, slots: [1025, 1026] },
};

const GLOBAL = 1;
const WEAK = 2;
const VARIABLE = 1;
const FUNCTION = 2;

/** Of namespace std and of the language itself: nested or not, with virtual tables, type descriptions and guards. */
const STANDARD =
  /^_Z(?:T[VTISCh]|GV|Z)*(?:NK?|K)?[VrO]?(?:St|S[absiod]|n[wa]|d[la])|^_Z(?:N?K?)?10__cxxabiv1/;

/** @param others libraries that it is loaded with, itself left out */
export async function bindSymbols(
  library: string,
  others: readonly string[],
): Promise<{ bound: number; left: number }> {
  const elsewhere = new Set<string>();
  for (const other of others) for (const name of await definedIn(other)) elsewhere.add(name);
  const file = await open(library, 'r+');
  try {
    const elf = await SharedLibrary.read(file);
    const machine = MACHINES[elf.machine];
    // A library that looks up what it calls when it calls it would not find the changed entries.
    if (!machine || !elf.bindsNow) return { bound: 0, left: 0 };
    const own = elf.symbols.map((symbol) => (isOwn(symbol, elsewhere) ? symbol.value : undefined));
    const counts = { bound: 0, left: 0 };
    await elf.changeRelocations(machine.relative, (one) => {
      const after = bind(one, own[one.symbol], machine);
      if (one.symbol !== 0) counts[after === one ? 'left' : 'bound']++;
      return after;
    });
    return counts;
  } finally {
    await file.close();
  }
}

async function definedIn(library: string): Promise<string[]> {
  const file = await open(library);
  try {
    const { symbols } = await SharedLibrary.read(file);
    return symbols.filter(({ isDefined }) => isDefined).map(({ name }) => name);
  } finally {
    await file.close();
  }
}

function isOwn(symbol: DynamicSymbol, elsewhere: ReadonlySet<string>): boolean {
  const { name, binding, type, isDefined, isAbsolute } = symbol;
  if (!isDefined || isAbsolute || (binding !== GLOBAL && binding !== WEAK)) return false;
  if (type !== VARIABLE && type !== FUNCTION) return false;
  return !elsewhere.has(name) && !STANDARD.test(name);
}

/** @param value where the symbol lies in the library; undefined when it has to be looked up */
function bind(one: Relocation, value: number | undefined, machine: Machine): Relocation {
  if (value === undefined || one.symbol === 0) return one;
  const isSlot = machine.slots.includes(one.type);
  if (!isSlot && one.type !== machine.absolute) return one;
  return { offset: one.offset, type: machine.relative, symbol: 0, addend: value + one.addend };
}
