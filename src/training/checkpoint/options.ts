/** The options of a training as a checkpoint keeps them. */
import { fromJson, toJson } from '../../core/json.js';
import { native } from '../../core/native.js';
import { isObject } from '../../core/objects.js';
import { classifies } from '../../network/network.js';
import type { AnySolver } from '../../solvers/shared/descriptor.js';
import type { CommonPlan } from '../../solvers/shared/options.js';
import type { StoredTraining } from './stored-training.js';

export const isFunctionMark = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && '$function' in value && value.$function === true;

/** What a checkpoint keeps of an option: a copy, as what becomes of the caller's later does not matter. */
const storedValue = (value: unknown): unknown =>
  typeof value === 'function' ? { $function: true } : fromJson(toJson(value));

/** Options as a checkpoint keeps them: what is decided by the machine or by default is written down, too. */
export function storedOptionsOf(
  options: object,
  {
    network,
    dtype,
    threads,
    seed,
    standardiseTargets,
    earlyStopping,
    solver,
  }: Pick<CommonPlan<never>, 'network' | 'dtype' | 'threads' | 'seed' | 'standardiseTargets' | 'earlyStopping'> & {
    readonly solver: AnySolver;
  },
): StoredTraining['options'] {
  const {
    signal: _,
    onIteration: __,
    // How many processes go on is asked again.
    distributed: ___,
    checkpoint,
    initialisation,
    ...rest
  } = options as Readonly<Record<string, unknown>>;
  // Parameters of one's own have done their part.
  const own = typeof initialisation === 'object' && initialisation !== null && 'weights' in initialisation;
  const all = {
    ...rest,
    // Where the file lies is no part of what it holds.
    ...(isObject(checkpoint) && { checkpoint: { every: checkpoint.every } }),
    ...(!own && initialisation !== undefined && { initialisation }),
    ...network,
    dtype,
    threads,
    seed,
    ...(earlyStopping && { earlyStopping }),
    ...(!classifies(network.loss) && { standardiseTargets }),
    solver: solver.name,
  };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, storedValue(value)]),
  );
}

/** What decides, beside the number of threads and the type, how sums are rounded here. */
export function kernelHere(): string {
  const { config, core, simd } = native.info();
  return `${/OpenBLAS \S+/.exec(config)?.[0] ?? config} ${core}, ${simd}`;
}
