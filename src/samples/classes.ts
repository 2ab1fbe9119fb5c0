import { DlAdmmError, expected, listed } from '../core/errors.js';
import { isArray, isNumericArray, type LabelsLike, labelArray } from '../tensor/inputs.js';
import { alignLabels } from './align.js';

/**
 * What the labels of a training set were: numbers of classes from 0, other whole numbers (−1 and 1; 10, 20 and 30), names of
 * classes, or true and false.
 */
export type LabelKind = 'number' | 'value' | 'string' | 'boolean';

/** A class for each sample, as the training set had them. */
export type Labels = Int32Array | readonly string[] | readonly boolean[];

/** How a model tells its classes from each other. */
export interface ClassNames {
  /** The names of the classes in the order of their numbers. */
  readonly classes?: readonly string[];
  /** What predictions are told in. Default `'number'`. */
  readonly labelKind?: LabelKind;
}

export const LABEL_KINDS: readonly LabelKind[] = ['number', 'value', 'string', 'boolean'];

const BOOLEANS: readonly string[] = ['false', 'true'];

/** Whether all classes are called by whole numbers, as labels can tell them. */
export const areValues = (classes: readonly string[]): boolean =>
  classes.every((text) => /^-?\d+$/.test(text) && Math.abs(Number(text)) < 2 ** 31);

/** The classes that numbers stand for where they do not count from 0: as many different ones as the network tells apart. */
function valuesIn(labels: LabelsLike | undefined, count: number): readonly string[] | undefined {
  if (!isArray(labels) && !isNumericArray(labels)) return undefined;
  const found = new Set<unknown>();
  for (let i = 0; i < labels.length && found.size <= count; i += 1) {
    if (!Number.isInteger(labels[i])) return undefined;
    found.add(labels[i]);
  }
  const values = [...found] as readonly number[];
  if (found.size !== count || (found.has(0) && !found.has(-1))) return undefined;
  if (!areValues(values.map(String))) return undefined;
  return values.toSorted((a, b) => a - b).map(String);
}

/** What labels are by the first of them; numbers where there is none. */
function kindOf(labels: unknown): Exclude<LabelKind, 'value'> {
  const first: unknown = isArray(labels) ? labels[0] : undefined;
  return typeof first === 'string' || typeof first === 'boolean' ? (typeof first as 'string' | 'boolean') : 'number';
}

const nameOf = (label: unknown, kind: LabelKind, name: string, i: number): string => {
  if (typeof label === kind && label !== '') return String(label);
  const what = label === '' ? 'a text that is not empty' : `a ${kind}, as the first label is one,`;
  throw expected(what, `${name}[${i}]`, label, 'ERR_DLADMM_LABEL');
};

function checkCount(classes: readonly string[], count: number, name: string): void {
  if (classes.length === count) return;
  const text = `Expected ${count} classes, as many as the network tells apart, for ${name} but received ${classes.length}: ${listed(classes, 20)}`;
  throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
}

/**
 * The classes of a training set: those that `given` names, in that order, else those that came with the labels, else the
 * distinct labels, sorted by code unit; false before true. Numbers need none.
 *
 * @param own the names of the classes that numbers stand for, where they came with the labels
 * @param count how many classes the network tells apart
 * @throws DlAdmmError ERR_DLADMM_LABEL, ERR_DLADMM_SHAPE
 */
export function learnClasses(
  labels: LabelsLike | undefined,
  own: readonly string[] | undefined,
  given: readonly string[] | undefined,
  count: number,
  name: string,
): ClassNames {
  const kind = kindOf(labels);
  if (kind === 'number') {
    // Classes that are called 0, 1, 2, … are numbers.
    const named = own?.some((text, i) => text !== String(i)) ?? false;
    if (given === undefined && own !== undefined && named) checkCount(own, count, `the classes of ${name}`);
    const values = (given ?? own) ? undefined : valuesIn(labels, count);
    if (values) return { classes: values, labelKind: 'value' };
    const classes = given ?? (own?.length === count ? own : undefined);
    return { ...(classes && { classes }), ...(named && { labelKind: areValues(classes ?? []) ? 'value' : 'string' }) };
  }
  if (kind === 'boolean') {
    if (count !== 2) throw expected('2 outputs for labels that are true or false', 'layers', count, 'ERR_DLADMM_SHAPE');
    return { classes: given ?? BOOLEANS, labelKind: kind };
  }
  if (given) return { classes: given, labelKind: kind };
  const distinct = new Set<string>();
  for (let i = 0; i < (labels?.length ?? 0); i += 1) distinct.add(nameOf(labels?.[i], kind, name, i));
  const classes = [...distinct].sort();
  checkCount(classes, count, name);
  return { classes, labelKind: kind };
}

/**
 * Labels in any of their forms as class numbers.
 *
 * @param own the names of the classes that numbers stand for, where they came with the labels
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED
 */
export function classNumbers(
  labels: LabelsLike | undefined,
  own: readonly string[] | undefined,
  { classes, labelKind }: ClassNames,
  samples: number,
  count: number,
  name: string,
): Int32Array {
  const kind = kindOf(labels);
  const numbered = kind === 'number' || isNumericArray(labels) || labels === undefined;
  if (numbered && !(labelKind === 'value' && own === undefined && labels !== undefined)) {
    // A model without names has the classes 0, 1, 2, …, of which there may be some.
    const known = classes ?? (own && areValues(own) ? Array.from({ length: count }, (_, i) => String(i)) : undefined);
    const numbers = labelArray(labels, samples, own && known ? own.length : count, name);
    return own && known ? alignLabels(numbers, own, known, name) : numbers;
  }
  if (labels.length !== samples) {
    throw expected(`${samples} labels, one a sample,`, name, labels.length, 'ERR_DLADMM_SHAPE');
  }
  if (classes === undefined) {
    throw expected('class numbers, as the classes of the model have no names,', `${name}[0]`, labels[0]);
  }
  const names = kind === 'boolean' && labelKind === kind ? BOOLEANS : classes;
  const numbers = new Map(names.map((text, i) => [text, i]));
  const found = new Int32Array(samples);
  for (let i = 0; i < samples; i += 1) {
    const number = numbers.get(numbered ? String(labels[i]) : nameOf(labels[i], kind, name, i));
    if (number === undefined) {
      throw expected(`one of the classes ${listed(classes, 20)}`, `${name}[${i}]`, labels[i], 'ERR_DLADMM_LABEL');
    }
    found[i] = number;
  }
  return found;
}

/** What classes are told by, by their numbers, where the training set did not have numbers. */
export function labelOf({ classes, labelKind }: ClassNames): ((number: number) => string | boolean) | undefined {
  if (labelKind === 'boolean') return (number) => number === 1;
  return labelKind === 'string' && classes ? (number) => classes[number] as string : undefined;
}

/** Class numbers as the training set had its numbers. */
export const numbersOf = (numbers: Int32Array, { classes, labelKind }: ClassNames): Int32Array =>
  labelKind === 'value' && classes ? Int32Array.from(numbers, (number) => Number(classes[number])) : numbers;
