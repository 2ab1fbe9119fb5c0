import { atLeast, checkObject, given, oneOf, positive, whole } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import {
  type Dtype,
  fromNative,
  type NativeBadmOptimizer,
  type NativeConsensus,
  type Numbers,
  native,
} from '../../core/native.js';
import { arrayKind, isNumbers } from '../../core/numbers.js';
import { checkAttached } from '../../tensor/inputs.js';
import { type GradientMethod, methodOf } from '../shared/methods.js';

/** One array of numbers, or one for each tensor of a model. */
export type Tensors = Numbers | readonly Numbers[];

type Consensus<M> = Extract<GradientMethod, { readonly solver: M }>;

/** BADM or SISA (`solver`; 'badm' if absent) with its settings, and what the parameters are held in. */
export type BadmOptimizerOptions = (
  | (Omit<Consensus<'badm'>, 'solver' | 'learningRate'> & { readonly solver?: 'badm' })
  | Omit<Consensus<'sisa'>, 'learningRate'>
) & {
  /** α_s, the share of each sub-batch in its batch; positive, scaled to a sum of 1. Equal if absent. */
  readonly weights?: readonly number[];
  /** 'float32' if absent. */
  readonly dtype?: Dtype;
};

/**
 * Consensus ADMM for any model: gradients come from elsewhere, the parameters are plain arrays and are changed in place.
 *
 *     const optimizer = new BadmOptimizer({ sigma: 1, rho: 20, subBatches: 2 });
 *     optimizer.step(parameters, [gradientOfFirstHalf, gradientOfSecondHalf]);
 *
 * The formulas stand in the file solvers/badm.ts. Each gradient is that of the mean loss over its sub-batch, at the present
 * parameters. A step is one pass over the parameters, on the calling thread: nobody else may write to the arrays meanwhile.
 */
export class BadmOptimizer {
  readonly #dtype: Dtype;
  readonly #optimiser: NativeConsensus;
  readonly #weights: Float64Array;
  #sizes: readonly number[] | undefined;
  #native: NativeBadmOptimizer | undefined;

  /** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE */
  constructor(options: BadmOptimizerOptions = {}) {
    checkObject(options, '{ sigma, rho, subBatches }', 'options');
    const { weights, dtype, solver, ...settings } = options;
    if ('learningRate' in settings)
      throw expected('none (each step has its own)', 'options.learningRate', settings.learningRate);
    this.#dtype = oneOf(given(dtype, 'float32'), ['float32', 'float64'], 'options.dtype');
    const method = { ...settings, solver: oneOf(given(solver, 'badm'), ['badm', 'sisa'], 'options.solver') };
    this.#optimiser = methodOf(method as GradientMethod, 'options.').optimiser as NativeConsensus;
    this.#weights = weightsOf(weights, this.#optimiser.subBatches);
  }

  /**
   * One step: `parameters` become the aggregate after it. The tensors of the first call set the sizes for all. σ and ρ are divided by
   * the learning rate.
   *
   * @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT, ERR_DLADMM_DETACHED where arrays do not fit, and
   * ERR_DLADMM_NON_FINITE where a gradient is not finite: then nothing has changed; ERR_DLADMM_NON_FINITE too where the
   * step itself overflowed, as it does where σ and ρ are far too small
   */
  step(parameters: Tensors, subBatchGradients: readonly Tensors[], learningRate = 1): void {
    const rate = atLeast(learningRate, 0, 'learningRate');
    const w = this.#tensors(parameters, this.#sizes, 'parameters');
    const sizes = w.map((tensor) => tensor.length);
    const { subBatches } = this.#optimiser;
    if (!Array.isArray(subBatchGradients)) {
      throw expected(`an array of ${subBatches} gradients`, 'subBatchGradients', subBatchGradients);
    }
    if (subBatchGradients.length !== subBatches) {
      const what = `${subBatches} gradients, one a sub-batch,`;
      throw expected(what, 'subBatchGradients', subBatchGradients, 'ERR_DLADMM_SHAPE');
    }
    const gradients = subBatchGradients.map((each, s) => this.#tensors(each, sizes, `subBatchGradients[${s}]`));
    try {
      this.#native ??= new native.BadmOptimizer({
        dtype: this.#dtype,
        sizes,
        weights: this.#weights,
        optimiser: this.#optimiser,
      });
      this.#sizes = sizes;
      const bad = this.#native.step(w, gradients, rate);
      if (bad === -2) throw new DlAdmmError('ERR_DLADMM_NON_FINITE', 'The step made a parameter that is not finite');
      if (bad >= 0) throw notFinite(`subBatchGradients[${bad}]`);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /**
   * Copies of the multiplier π_s of sub-batch s = 0, 1, …, a tensor each; none before the first step.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT where none is kept: 'sisa' keeps them, 'badm' where `duals` is set
   */
  duals(subBatch: number): readonly Numbers[] {
    if (this.#optimiser.method === 'badm' && !this.#optimiser.duals) {
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', "Expected solver 'sisa', or 'badm' with duals: true, for duals");
    }
    whole(subBatch, 0, this.#optimiser.subBatches - 1, 'subBatch');
    return this.#native?.dual(subBatch) ?? [];
  }

  /** The multipliers at zero again, and the second moments; the parameters may be of other sizes from here on. */
  reset(): void {
    this.#native = undefined;
    this.#sizes = undefined;
  }

  #tensors(value: unknown, sizes: readonly number[] | undefined, name: string): readonly Numbers[] {
    const list = isNumbers(value) ? [value] : value;
    if (!Array.isArray(list)) throw expected('a typed array or an array of them', name, value);
    if (sizes !== undefined && list.length !== sizes.length) {
      throw expected(`${sizes.length} tensors`, name, list.length, 'ERR_DLADMM_SHAPE');
    }
    const kind = this.#dtype === 'float32' ? 'Float32Array' : 'Float64Array';
    return list.map((tensor: unknown, k) => {
      const at = list === value ? `${name}[${k}]` : name;
      if (!isNumbers(tensor) || arrayKind(tensor) !== kind) throw expected(`a ${kind}`, at, tensor);
      checkAttached(tensor, at);
      const size = sizes?.[k] ?? tensor.length;
      if (tensor.length !== size) throw expected(`${size} numbers`, at, tensor.length, 'ERR_DLADMM_SHAPE');
      return tensor;
    });
  }
}

const notFinite = (name: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_NON_FINITE', `Expected finite numbers for ${name} but found one that is not`);

function weightsOf(weights: unknown, subBatches: number): Float64Array {
  if (weights === undefined) return new Float64Array(subBatches).fill(1 / subBatches);
  if (!Array.isArray(weights)) throw expected(`an array of ${subBatches} numbers`, 'options.weights', weights);
  if (weights.length !== subBatches) {
    throw expected(`${subBatches} numbers, one a sub-batch,`, 'options.weights', weights, 'ERR_DLADMM_SHAPE');
  }
  const checked = Float64Array.from(weights, (weight, s) => positive(weight, `options.weights[${s}]`));
  const sumOf = (all: Float64Array): number => all.reduce((total, weight) => total + weight, 0);
  // A sum that overflows is not that of their parts.
  const parts = Number.isFinite(sumOf(checked)) ? checked : checked.map((weight) => weight / subBatches);
  const sum = sumOf(parts);
  return parts.map((weight) => weight / sum);
}
