/** Lists of numbers on their way from one thread to another: in two arrays, however many lists there are. Pure. */
import type { FoundList } from './number-list.ts';
import { type Doubles, joined, type Singles } from './number-reader.ts';

export interface MovedLists {
  /** The numbers of all lists. */
  readonly values: Singles | Doubles;
  /** Of each list: where it begins and ends, its bounds, whether its numbers are whole, its rank and its sizes. */
  readonly facts: Float64Array<ArrayBuffer>;
}

/** Takes the numbers out of the lists, which were read with one precision. */
export function packed(lists: readonly FoundList[]): MovedLists {
  const facts = lists.flatMap(({ start, end, least, greatest, areWhole, shape }) => [
    ...[start, end, least, greatest, Number(areWhole), shape.length],
    ...shape,
  ]);
  return { values: joined(lists.map((list) => list.values)), facts: Float64Array.from(facts) };
}

/** The lists again; several share one array. */
export function unpacked({ values, facts }: MovedLists): FoundList[] {
  const lists: FoundList[] = [];
  let [at, taken] = [0, 0];
  while (at < facts.length) {
    const [start, end, least, greatest, areWhole, rank] = facts.subarray(at, at + 6) as unknown as Six;
    at += 6;
    const shape = Array.from(facts.subarray(at, at + rank));
    at += rank;
    const count = shape.reduce((product, size) => product * size, 1);
    lists.push({
      ...{ start, end, least, greatest, shape, areWhole: areWhole === 1 },
      values: count === values.length ? values : values.subarray(taken, taken + count),
    } as FoundList);
    taken += count;
  }
  return lists;
}

type Six = [number, number, number, number, number, number];
