/** Columns for a terminal, as kubectl prints them. */

/** @param rows the first is the head; cells that are empty become a dash */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, at) => Math.max(cell.length || 1, all[at] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, at) => (cell || '-').padEnd(widths[at]!))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
