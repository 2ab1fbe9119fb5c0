/** Any number of labels a sample: lists of their names, and the rows of 0 and 1 that a network learns of them. */
import { expected } from '../core/errors.js';
import { goalOf, type Loss } from '../network/network.js';
import { inTurns, isArray } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';

/** The labels of each sample, by name. */
export type LabelLists = readonly (readonly (string | number)[])[];

/** Rows with a column for each label, 1 where the sample has it. */
export interface LabelRows {
  readonly names: readonly string[];
  readonly y: Matrix;
}

/** Whether labels are lists of them rather than one a sample. */
export const areLists = (labels: unknown): labels is LabelLists =>
  isArray(labels) && labels.length > 0 && isArray(labels[0]);

/** The names in a list of labels; undefined where it is none. */
function namesIn(list: unknown): readonly string[] | undefined {
  if (!isArray(list)) return undefined;
  const names = list.map((name) =>
    typeof name === 'string' ? name.trim() : Number.isFinite(name) ? String(name) : '',
  );
  return names.includes('') ? undefined : names;
}

/** The list as one text, by which equal ones are told: its names in order, each once; undefined where it is no list of labels. */
export function listText(list: unknown): string | undefined {
  const names = namesIn(list);
  return names && JSON.stringify([...new Set(names)].sort());
}

/** The labels that a text of a table names, with | ; or commas between them. */
export const splitLabels = (text: string): readonly string[] =>
  text.split(/[|;,]/).flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));

/**
 * Row i has the labels of `lists[codes[i]]`, none where that is −1; the event loop runs in between.
 *
 * @param known the labels that there may be, in the order of the columns. Default: those that occur, sorted
 * @param where how errors call a row
 * @throws DlAdmmError ERR_DLADMM_LABEL for a label that is not known, and where there is none
 */
export async function labelRows(
  lists: readonly (readonly string[])[],
  codes: ArrayLike<number>,
  known: readonly string[] | undefined,
  where: (row: number) => string,
): Promise<LabelRows> {
  const found = new Set<string>();
  if (!known)
    await inTurns(lists.length, (i) => {
      for (const label of lists[i] as readonly string[]) found.add(label);
    });
  const names = known ?? [...found].sort();
  if (names.length === 0) throw expected('at least one label', where(0), [], 'ERR_DLADMM_LABEL');
  const places = new Map(names.map((name, j) => [name, j]));
  const columns = names.length;
  const data = new Float64Array(codes.length * columns);
  await inTurns(codes.length, (row) => {
    for (const name of lists[codes[row] as number] ?? []) {
      const place = places.get(name);
      if (place === undefined) {
        const listed = `${names.slice(0, 20).join(', ')}${columns > 20 ? ', …' : ''}`;
        throw expected(`labels among ${listed}`, where(row), name, 'ERR_DLADMM_LABEL');
      }
      data[row * columns + place] = 1;
    }
  });
  return { names, y: { data, rows: codes.length, columns } };
}

/**
 * The same of a list for each sample.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL; ERR_DLADMM_ARGUMENT for a loss that takes no lists
 */
export async function listedRows(
  lists: LabelLists,
  loss: Loss,
  known: readonly string[] | undefined,
  name: string,
): Promise<LabelRows> {
  if (goalOf(loss) !== 'labels') {
    const what = goalOf(loss) === 'classes' ? 'a label' : 'values y, rather than labels,';
    throw expected(`${what} for each sample, as the loss is ${loss} (sigmoid-cross-entropy takes lists),`, name, lists);
  }
  const where = (row: number): string => `${name}[${row}]`;
  const named: (readonly string[])[] = [];
  const places = new Int32Array(lists.length);
  await inTurns(lists.length, (row) => {
    const names = namesIn(lists[row]);
    if (!names) throw expected('a list of names of labels', where(row), lists[row], 'ERR_DLADMM_LABEL');
    named.push(names);
    places[row] = row;
  });
  return labelRows(named, places, known, where);
}
