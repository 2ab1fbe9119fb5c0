/** Parameters by the names that they have in a checkpoint. */
import type { NativeExtra, Numbers } from '../../core/native.js';
import type { Parameters } from '../../network/parameters.js';
import type { BestModel } from './stored-training.js';

export const parameterNames = (layers: number, biases: boolean, prefix: string): readonly string[] =>
  Array.from({ length: layers }, (_, i) => [`${prefix}W.${i + 1}`, ...(biases ? [`${prefix}b.${i + 1}`] : [])]).flat();

/** Parameters in the order of their names. */
export function parametersOf(arrays: readonly Numbers[], biases: boolean): Parameters {
  if (!biases) return { weights: arrays, biases: [] };
  return { weights: arrays.filter((_, i) => i % 2 === 0), biases: arrays.filter((_, i) => i % 2 === 1) };
}

/** Where some solvers keep all parameters: layer after layer, each row of W_l with its b_l behind it. */
export const TOGETHER = 'parameters';

export function apart(all: Numbers, widths: readonly number[], biases: boolean): Parameters {
  const weights: Numbers[] = [];
  const shifts: Numbers[] = [];
  let at = 0;
  for (const [l, outputs] of widths.slice(1).entries()) {
    const inputs = widths[l] as number;
    const step = inputs + (biases ? 1 : 0);
    const end = at + outputs * step;
    const own = all.subarray(at, end);
    if (biases) shifts.push(own.filter((_: number, i: number) => i % step === inputs));
    weights.push(own.filter((_: number, i: number) => i % step !== inputs));
    at = end;
  }
  return { weights, biases: shifts };
}

export const extrasOf = (best: BestModel | undefined): readonly NativeExtra[] =>
  (best?.parameters.weights ?? []).flatMap((data, i) => {
    const bias = best?.parameters.biases[i];
    return [{ name: `best.W.${i + 1}`, data }, ...(bias ? [{ name: `best.b.${i + 1}`, data: bias }] : [])];
  });
