/** Tables for people. */

/** Data with more that neither JSON nor a comparison sees. */
export function unseen<T extends object, U extends object>(data: T, more: U): T & U {
  for (const [key, value] of Object.entries(more)) Object.defineProperty(data, key, { value });
  return data as T & U;
}

/** Plain data with a text of its own, which neither JSON nor a comparison sees. */
export const printable = <T extends object>(data: T, text: (data: T) => string): T & { toString(): string } =>
  unseen(data, { toString: () => text(data) });

export const numberText = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

const shortened = (text: string): string =>
  (text.length > 30 ? `${text.slice(0, 29)}…` : text).replace(/\p{Cc}/gu, ' ');

/** Lines whose columns stand under each other: the first to the left, numbers to the right. */
export function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const cells = rows.map((row) => row.map(shortened));
  const widths = (cells[0] ?? []).map((_, j) => Math.max(...cells.map((row) => row[j]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, j) => (j === 0 ? cell.padEnd(widths[j] ?? 0) : cell.padStart(widths[j] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
