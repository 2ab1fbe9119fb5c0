const NUMBER = /^[-+±]?[\d.,]+(e[-+]?\d+)?( ?(%|s|ms|µs|GB|GB\/s))?$|^-?$/;

/** Rows of cells below a head, in columns as wide as their widest cell; columns of numbers stand to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = head.map((name, i) => {
    const cells = rows.map((row) => row[i] ?? '');
    return { width: Math.max(name.length, ...cells.map((cell) => cell.length)), right: cells.every(isNumber) };
  });
  return [head, ...rows]
    .map((row) =>
      columns
        .map(({ width, right }, i) => (right ? (row[i] ?? '').padStart(width) : (row[i] ?? '').padEnd(width)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const isNumber = (cell: string): boolean => NUMBER.test(cell);

/** A setting in a line. */
export const inWords = (setting: object): string =>
  Object.entries(setting)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ');

/** Names beside what they are. */
export const pairs = (entries: Readonly<Record<string, string>>): string => {
  const width = Math.max(...Object.keys(entries).map((name) => name.length));
  return Object.entries(entries)
    .map(([name, value]) => `${name.padEnd(width)}  ${value}`)
    .join('\n');
};

export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
