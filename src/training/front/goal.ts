/** What is to be predicted: classes or values, and what classes there are. */
import { expected } from '../../core/errors.js';
import { domainOf, domainText, type Loss } from '../../network/network.js';
import { classNumbers, learnClasses } from '../../samples/classes.js';
import type { Parts } from '../../samples/hold-out.js';
import type { Target, Task, Wanted } from '../../samples/targets.js';
import { eachChunk, inTurns, type LabelsLike, type RowSource, rowSource, turn } from '../../tensor/inputs.js';
import type { Matrix } from '../../tensor/matrix.js';

/** What is to be predicted: classes, or rows of values, or of 0 and 1 for labels that have names. */
export type Goal =
  | { readonly labels: readonly Target[]; readonly classes?: readonly string[]; readonly count: number }
  | { readonly labels?: undefined; readonly y: Matrix; readonly names?: readonly string[] | undefined };

/** Numbers by their size, texts by code unit. */
export const ordered = (a: Target, b: Target): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1;

/** Classes in their order; whole numbers that do not count from 0 are classes by name. */
function classed(
  values: readonly Target[],
  called: string,
  given: readonly string[] | undefined,
  goesOn = false,
): Goal {
  const distinct = [...new Set(values)].toSorted(ordered);
  if (goesOn) return { labels: values, count: distinct.length };
  if (distinct.length < 2) {
    throw expected('at least two classes', called, distinct[0], 'ERR_DLADMM_LABEL');
  }
  if (typeof distinct[0] !== 'number') return { labels: values, count: given?.length ?? distinct.length };
  const counts = distinct.every((value, i) => value === i);
  if (counts || given) return { labels: values, count: given?.length ?? distinct.length };
  const places = new Map(distinct.map((value, i) => [value, i]));
  const labels = values.map((value) => places.get(value) as number);
  return { labels, classes: distinct.map(String), count: distinct.length };
}

/**
 * Refuses values where a column never varies, or labels where none does; the event loop runs in between.
 *
 * @throws DlAdmmError ERR_DLADMM_LABEL; ERR_DLADMM_NON_FINITE for what float32 does not hold; ERR_DLADMM_RANGE for what the loss does not take
 */
export async function checkVaries(y: RowSource, task: Task, called: string, loss?: Loss): Promise<void> {
  const { columns } = y;
  const [least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY] = (loss && domainOf(loss)) ?? [];
  const first = y.chunk(0, 1).slice(0, columns);
  const varies = new Uint8Array(columns);
  await eachChunk(y, (chunk, row) => {
    for (let i = 0; i < chunk.length; i += 1) {
      const value = chunk[i] as number;
      const holds = Number.isFinite(Math.fround(value));
      if (!holds || value < least || value > most) {
        const place = `row ${row + Math.floor(i / columns)} of ${called}`;
        if (holds) throw expected(domainText(loss as Loss), place, value, 'ERR_DLADMM_RANGE');
        throw expected('a number that float32 holds', place, value, 'ERR_DLADMM_NON_FINITE');
      }
      if (value !== first[i % columns]) varies[i % columns] = 1;
    }
  });
  const constant = task === 'regression' ? varies.indexOf(0) : varies.includes(1) ? -1 : 0;
  if (constant >= 0) throw expected('values that vary', called, first[constant], 'ERR_DLADMM_LABEL');
}

/**
 * What a table's target is to teach.
 *
 * @throws DlAdmmError as {@link checkVaries}, and ERR_DLADMM_LABEL for one class, unless a model is there that goes on
 */
export async function goalOf(
  wanted: Wanted,
  called: string,
  { classes, loss, goesOn }: { readonly classes?: readonly string[]; readonly loss?: Loss; readonly goesOn?: boolean },
): Promise<Goal> {
  if (wanted.task === 'classification') return turn(classed(wanted.values, called, classes, goesOn));
  const { y, task } = wanted;
  if (!goesOn) await checkVaries(rowSource(y, y.columns, called), task, called, loss);
  return wanted;
}

/** Labels that are whole numbers, as classes: those that occur. @throws DlAdmmError ERR_DLADMM_LABEL for one class, of any labels */
export function numberedGoal(labels: LabelsLike, classes: readonly string[] | undefined): Goal | undefined {
  const values = Array.from<unknown>(labels) as readonly Target[];
  const whole = values.every((value) => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31);
  const goal = classed(values, 'data.labels', classes);
  return whole ? goal : undefined;
}

/** @throws DlAdmmError ERR_DLADMM_LABEL, … for a label that is none of so many classes */
export async function checkLabels(
  { labels, classes: own }: { readonly labels?: LabelsLike; readonly classes?: readonly string[] },
  given: readonly string[] | undefined,
  count: number,
): Promise<void> {
  if (labels === undefined) return;
  const names = await turn(learnClasses(labels, own, given, count, 'data.labels'));
  await turn(classNumbers(labels, own, names, labels.length, count, 'data.labels'));
}

/** Classes of which nothing is held out, as they have too few rows. */
export async function alone(
  labels: ArrayLike<Target> | undefined,
  classes: readonly string[] | undefined,
  parts: Parts | undefined,
  called: string,
): Promise<readonly string[]> {
  if (labels === undefined || parts === undefined) return [];
  const held = new Set<Target>();
  await inTurns(parts.held.length, (i) => held.add(labels[parts.held[i] as number] as Target));
  const rare = new Map<Target, number>();
  await inTurns(labels.length, (row) => {
    const label = labels[row] as Target;
    if (!held.has(label)) rare.set(label, (rare.get(label) ?? 0) + 1);
  });
  const nameOf = (label: Target): Target => (typeof label === 'number' && classes?.[label]) || label;
  return [...rare]
    .slice(0, 10)
    .map(
      ([label, rows]) =>
        `${called}: the class ${JSON.stringify(nameOf(label))} has ${rows === 1 ? '1 row' : `${rows} rows`}, none of which is held out: the scores say nothing of it`,
    );
}
