import { expected } from '../core/errors.js';
import { type Numbers, native } from '../core/native.js';
import { isObject } from '../core/objects.js';
import { type Activation, nativeActivation } from '../network/network.js';
import { isArray } from '../tensor/inputs.js';

/** The singular values of larger matrices take longer than one should wait for. */
const MOST = 512;

/** The greatest |f′|: of x σ(x) at 2.399…, of x Φ(x) at √2, rounded up. */
const STEEPEST = { sigmoid: 0.25, tanh: 1, silu: 1.0999, gelu: 1.129, softplus: 1 } as const;

function steepest(activation: Activation): number {
  const { activation: kind, slope } = nativeActivation(activation);
  return kind === 'rectifier' || kind === 'elu' ? Math.max(1, Math.abs(slope)) : STEEPEST[kind];
}

/** σ_1(W), or of a matrix that is large both ways what it is not above: the lesser of ‖W‖ and √(‖W‖₁ ‖W‖_∞). */
function spectralBound(W: Numbers, rows: number, columns: number): number {
  if (Math.min(rows, columns) <= MOST) return native.singularValues(W, rows, columns)[0] ?? 0;
  const [inRows, inColumns] = [new Float64Array(rows), new Float64Array(columns)];
  let squares = 0;
  for (const [at, w] of W.entries()) {
    const [j, k] = [Math.floor(at / columns), at % columns];
    inRows[j] = (inRows[j] as number) + Math.abs(w);
    inColumns[k] = (inColumns[k] as number) + Math.abs(w);
    squares += w * w;
  }
  return Math.sqrt(
    Math.min(squares, inRows.reduce((a, b) => Math.max(a, b)) * inColumns.reduce((a, b) => Math.max(a, b))),
  );
}

/**
 * A bound K of how much the outputs z of a network move with its inputs as it takes them, standardised: ‖z(x) − z(y)‖ ≤ K ‖x − y‖.
 * It is Π σ_1(W_l) times the greatest slope of the activation for every hidden layer.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function lipschitzBound(model: {
  readonly weights: readonly Numbers[];
  readonly network: { readonly layers: readonly number[]; readonly activation: Activation };
}): number {
  if (!isObject(model) || !isArray(model.weights) || !isObject(model.network))
    throw expected('a model, or { weights, network },', 'model', model);
  const {
    weights,
    network: { layers, activation },
  } = model;
  return weights.reduce(
    (bound, W, l) => bound * (l > 0 ? steepest(activation) : 1) * spectralBound(W, layers[l + 1] ?? 0, layers[l] ?? 0),
    1,
  );
}
