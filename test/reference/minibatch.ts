/** Mini-batch dlADMM written as src/solvers/minibatch/algorithm.ts states it, in float64 on plain matrices. */
import type { Network } from '../../src/index.js';
import {
  at,
  dot,
  entry,
  type Matrix64,
  map,
  matrix,
  plus,
  scaled,
  times,
  timesTransposed,
  transpose,
  transposedTimes,
} from './dense.js';
import { drawnMultiplier } from './drawn.js';
import { activationOf, epochOrders, leastLossOf, lossOf, type Samples, type Vector } from './gradient.js';
import { places } from './gradient-addon.js';

/** The settings of src/solvers/minibatch/state.ts, all of them. */
export interface PlainSettings {
  readonly batchSize: number;
  readonly gramMemory: number;
  readonly gramEvery: number;
  readonly relativeDamping: number;
  readonly factors: 'input' | 'both';
  readonly outputDamping: number;
  readonly trustRegion: number;
  /** No bound if 0. */
  readonly polyak: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly biasCorrection: boolean;
  /** Batches at (1 − μ) Z + μ X, X the average of the iterates Z, which is what comes out. */
  readonly scheduleFree: boolean;
  readonly l2: number;
  readonly seed: number;
  readonly shuffle: boolean;
  /** dlADMM's order, every W_l as soon as its target stands; else all W after all targets. */
  readonly interleaved: boolean;
  readonly step: (batch: number) => number;
}

/** X with X A = R. */
export function solveFromRight(R: Matrix64, A: Matrix64): Matrix64 {
  const n = A.rows;
  const a = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_e, j) => entry(A, j, i)));
  const x = Array.from({ length: n }, (_, i) => Float64Array.from({ length: R.rows }, (_e, k) => entry(R, k, i)));
  for (let k = 0; k < n; k++) {
    const column = a.map((row) => Math.abs(row[k] as number));
    const pivot = column.indexOf(Math.max(...column.slice(k)), k);
    for (const rows of [a, x]) [rows[k], rows[pivot]] = [at(rows, pivot, 'rows'), at(rows, k, 'rows')];
    const divisor = at(a, k, 'a')[k] as number;
    for (const rows of [a, x]) rows[k] = at(rows, k, 'rows').map((value) => value / divisor);
    for (let i = 0; i < n; i++) {
      const factor = at(a, i, 'a')[k] as number;
      if (i === k || factor === 0) continue;
      for (const rows of [a, x]) {
        const from = at(rows, k, 'rows');
        rows[i] = at(rows, i, 'rows').map((value, j) => value - factor * (from[j] as number));
      }
    }
  }
  return matrix(R.rows, n, (k, i) => at(x, i, 'x')[k] as number);
}

const trace = (m: Matrix64): number =>
  Array.from({ length: m.rows }, (_, i) => entry(m, i, i)).reduce((x, y) => x + y, 0);

/** M + δI */
const damped = (m: Matrix64, delta: number): Matrix64 => map(m, (value, i, j) => (i === j ? value + delta : value));

/** (a, 1) */
export const withOnes = (a: Matrix64): Matrix64 =>
  matrix(a.rows, a.columns + 1, (i, j) => (j < a.columns ? entry(a, i, j) : 1));

export const withoutBiases = (W: Matrix64): Matrix64 => matrix(W.rows, W.columns - 1, (i, j) => entry(W, i, j));

/** [W_1 b_1], [W_2 b_2], … of a vector of all parameters, and back. */
export function joined(network: Network, w: Vector): Matrix64[] {
  const blocks = [...places(network)];
  return network.layers.slice(1).map((rows, l) => {
    const [W, b] = [at(blocks, 2 * l, 'W'), at(blocks, 2 * l + 1, 'b')];
    const columns = W.count / rows;
    return matrix(rows, columns + 1, (i, j) => w[j < columns ? W.first + i * columns + j : b.first + i] as number);
  });
}

export function parted(matrices: readonly Matrix64[]): Vector {
  return Float64Array.from(
    matrices.flatMap((W) => [
      ...withoutBiases(W).data,
      ...Array.from({ length: W.rows }, (_, i) => entry(W, i, W.columns - 1)),
    ]),
  );
}

/** Gives the parameters after each batch, and R summed over it. */
export function* minibatchPlainly(
  network: Network,
  samples: Samples,
  start: Vector,
  settings: PlainSettings,
): Generator<{ readonly w: Vector; readonly loss: number; readonly D: readonly Matrix64[] }, never> {
  const { batchSize, gramMemory, gramEvery, relativeDamping, momentum, nesterov, scheduleFree, l2, interleaved } =
    settings;
  const { f, slope } = activationOf(network);
  const weightOf = (sample: number): number => samples.weights?.[sample] ?? 1;
  const W = joined(network, start);
  const L = W.length;
  const V = W.map((Wl) => scaled(0, Wl));
  const Z = [...W];
  const X = [...W];
  let squares = 0;
  const A: Matrix64[] = [];
  const P: Matrix64[] = [];
  let batches = 0;
  let taken = 0;
  let since = 0;
  for (const order of epochOrders(samples.x.length, settings.seed, settings.shuffle)) {
    for (let first = 0; first < order.length; first += batchSize) {
      const which = order.slice(first, first + batchSize);
      const B = which.length;

      // The forward pass.
      const inputs: Matrix64[] = [];
      const z: Matrix64[] = [];
      let a = matrix(
        B,
        at(network.layers, 0, 'layers'),
        (i, j) => at(samples.x, at(which, i, 'which'), 'x')[j] as number,
      );
      for (const Wl of W) {
        inputs.push(withOnes(a));
        z.push(timesTransposed(at(inputs, inputs.length - 1, 'inputs'), Wl));
        a = map(at(z, z.length - 1, 'z'), f);
      }

      // A_l ← β A_l + (1 − β) ãᵀSã/B
      const rooted = (rows: Matrix64): Matrix64 =>
        map(rows, (value, i) => Math.sqrt(weightOf(at(which, i, 'which'))) * value);
      const weighs = which.some((sample) => weightOf(sample) > 0);
      const due = weighs && (taken === 0 || since >= Math.min(gramEvery, taken));
      since = due ? 1 : since + (weighs ? 1 : 0);
      if (taken === 0 && !due) {
        batches += 1;
        yield { w: parted(W), loss: 0, D: [] };
        continue;
      }
      if (due) {
        taken += 1;
        const keep = Math.min(gramMemory, 1 - 1 / taken);
        for (const [l, input] of inputs.entries()) {
          const fresh = scaled((1 - keep) / B, transposedTimes(rooted(input), rooted(input)));
          A[l] = taken === 1 ? fresh : plus(fresh, keep, at(A, l, 'A'));
        }
        const drawn = which.map((_, i) => {
          const row = Array.from({ length: at(W, L - 1, 'W').rows }, (_v, j) => entry(at(z, L - 1, 'z'), i, j));
          return settings.factors === 'both' ? drawnMultiplier(network, row, settings.seed, taken - 1, i) : row;
        });
        let v = rooted(matrix(B, at(W, L - 1, 'W').rows, (i, j) => at(at(drawn, i, 'drawn'), j, 'v')));
        for (let l = L - 1; l >= 0; l--) {
          const fresh = scaled((1 - keep) / B, transposedTimes(v, v));
          P[l] = taken === 1 ? fresh : plus(fresh, keep, at(P, l, 'P'));
          if (l === 0) break;
          const zl = at(z, l - 1, 'z');
          v = map(times(v, withoutBiases(at(W, l, 'W'))), (value, i, j) => value * slope(entry(zl, i, j)));
        }
      }

      let loss = 0;
      let least = 0;
      batches += 1;
      const eta = settings.step(batches);
      squares += eta * eta;
      const reach = scheduleFree ? eta : eta / (1 - momentum);
      const updateW = (l: number, D: Matrix64): void => {
        const input = at(inputs, l, 'inputs');
        const Al = at(A, l, 'A');
        const delta = l2 + relativeDamping * (trace(Al) / Al.rows + l2);
        const gradient = plus(scaled(1 / B, transposedTimes(D, input)), l2, at(W, l, 'W'));
        let S = solveFromRight(gradient, damped(Al, delta));
        if (settings.factors === 'both') {
          const Pl = at(P, l, 'P');
          const pi = (settings.outputDamping * trace(Pl)) / Pl.rows + l2 / delta;
          S = transpose(solveFromRight(transpose(S), damped(Pl, pi)));
          S = scaled(
            eta === 0 ? 0 : Math.min(1, Math.sqrt(settings.trustRegion / L / (reach ** 2 * dot(S, gradient)))),
            S,
          );
        }
        const most = (settings.polyak * (loss - least)) / (B * L);
        if (settings.polyak > 0) S = scaled(eta === 0 ? 0 : Math.min(1, most / (reach * dot(S, gradient))), S);
        if (scheduleFree) {
          const share = squares > 0 ? eta ** 2 / squares : 0;
          const Zl = plus(at(Z, l, 'Z'), -eta, S);
          const Xl = plus(scaled(share, Zl), 1 - share, at(X, l, 'X'));
          [Z[l], X[l], W[l]] = [Zl, Xl, plus(scaled(1 - momentum, Zl), momentum, Xl)];
          return;
        }
        const Vl = plus(S, momentum, at(V, l, 'V'));
        V[l] = Vl;
        const corrected = settings.biasCorrection ? eta / (1 - momentum ** (batches + (nesterov ? 1 : 0))) : eta;
        W[l] = plus(at(W, l, 'W'), -corrected, nesterov ? plus(S, momentum, Vl) : Vl);
      };

      // The sweep.
      const outputs = at(z, L - 1, 'z');
      const gradients = which.map((sample, i) => {
        const row = Array.from({ length: outputs.columns }, (_, j) => entry(outputs, i, j));
        const [value, gradient] = lossOf(network, row, samples, sample);
        const weight = weightOf(sample);
        loss += weight * value;
        least += weight * leastLossOf(network, samples, sample);
        return gradient.map((each) => weight * each);
      });
      const D: Matrix64[] = [];
      D[L - 1] = matrix(B, outputs.columns, (i, j) => at(at(gradients, i, 'gradients'), j, 'gradient'));
      if (interleaved) updateW(L - 1, at(D, L - 1, 'D'));
      for (let l = L - 2; l >= 0; l--) {
        const moved = times(at(D, l + 1, 'D'), withoutBiases(at(W, l + 1, 'W')));
        const zl = at(z, l, 'z');
        D[l] = map(moved, (value, i, j) => value * slope(entry(zl, i, j)));
        if (interleaved) updateW(l, at(D, l, 'D'));
      }
      if (!interleaved) for (let l = L - 1; l >= 0; l--) updateW(l, at(D, l, 'D'));
      yield { w: parted(scheduleFree ? X : W), loss, D };
    }
  }
  throw new Error('epochs never end');
}
