import { DlAdmmError, listed } from '../core/errors.js';

const isNumbered = (classes: readonly string[]): boolean => classes.every((name, i) => name === String(i));

/**
 * Labels that number the classes `from`, made to number the classes `to`: two files may hold the same classes in part,
 * or in another order. Classes are matched by name; a file whose classes are plain numbers may also mean the numbers of
 * classes that have names.
 *
 * @param name how errors call the samples
 * @throws ERR_DLADMM_LABEL for a class that occurs in `labels` but not in `to`
 */
export function alignLabels(
  labels: Int32Array,
  from: readonly string[],
  to: readonly string[],
  name: string,
): Int32Array {
  const place = new Map(to.map((text, i) => [text, i]));
  const used = new Set(labels);
  const unknown = from.find((text, i) => used.has(i) && !place.has(text));
  if (unknown === undefined) {
    const numbers = from.map((text) => place.get(text) ?? -1);
    return labels.map((label) => numbers[label] as number);
  }
  const largest = labels.reduce((max, label) => Math.max(max, label), 0);
  if (isNumbered(from) && !isNumbered(to) && largest < to.length) return labels;
  const what = `${name} has the class ${JSON.stringify(unknown)}; expected one of ${listed(to, 20)}`;
  throw new DlAdmmError('ERR_DLADMM_LABEL', what);
}
