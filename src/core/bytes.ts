/** Bytes as a person says them: 2e9, '512 MB', '2GiB'. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** So many bytes; undefined where it says none. */
export function bytesSaid(value: unknown): number | undefined {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*$/i.exec(String(value)) ?? [];
  const bytes = Number(number) * (UNITS[unit?.toLowerCase() ?? 'none'] ?? Number.NaN);
  return bytes > 0 ? bytes : undefined;
}
