/** The Adult census set (UCI): six numeric columns, and eight categorical ones as one column a category. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Matrix } from 'dladmm';

const COLUMNS = 14;
const NUMERIC = [0, 2, 4, 10, 11, 12];

/** The rows of a file: 14 fields and the class; a line that is not one (blank, a comment) is left out. */
async function rowsOf(file: string): Promise<readonly (readonly string[])[]> {
  const text = gunzipSync(await readFile(file)).toString('utf8');
  return text
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()))
    .filter((fields) => fields.length === COLUMNS + 1);
}

/** Where each category of each column lies among the features, as the training rows have them; a missing one is a category. */
function placesOf(rows: readonly (readonly string[])[]): ReadonlyMap<string, number> {
  const categories = rows.flatMap((row) =>
    row.slice(0, COLUMNS).flatMap((field, j) => (NUMERIC.includes(j) ? [] : [`${j} ${field}`])),
  );
  return new Map([...new Set(categories)].sort().map((name, i) => [name, NUMERIC.length + i]));
}

function samplesOf(
  rows: readonly (readonly string[])[],
  places: ReadonlyMap<string, number>,
): { readonly x: Matrix; readonly labels: Int32Array } {
  const columns = NUMERIC.length + places.size;
  const data = new Float32Array(rows.length * columns);
  for (const [i, row] of rows.entries()) {
    for (const [k, j] of NUMERIC.entries()) data[i * columns + k] = Number(row[j]);
    for (let j = 0; j < COLUMNS; j += 1) {
      const place = places.get(`${j} ${row[j]}`);
      if (place !== undefined) data[i * columns + place] = 1;
    }
  }
  const labels = Int32Array.from(rows, (row) => (row[COLUMNS]?.startsWith('>50K') ? 1 : 0));
  return { x: { data, rows: rows.length, columns }, labels };
}

/**
 * Reads `adult.data.gz` and `adult.test.gz` of a folder.
 *
 * @returns undefined where they are not there
 */
export async function readAdult(folder: string) {
  try {
    const train = await rowsOf(join(folder, 'adult.data.gz'));
    const test = await rowsOf(join(folder, 'adult.test.gz'));
    const places = placesOf(train);
    return { train: samplesOf(train, places), test: samplesOf(test, places) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
