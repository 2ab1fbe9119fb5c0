/** SOAP, K-FAC and ISAAC as their papers have them, in float64 on plain matrices. */
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
  squaredNorm,
  times,
  timesTransposed,
  transpose,
  transposedTimes,
} from './dense.js';
import { drawnMultiplier, softmax } from './drawn.js';
import { activationOf, lossOf, type Samples, sgd, type UpdateRule, type Vector } from './gradient.js';
import { joined, parted, solveFromRight, withOnes, withoutBiases } from './minibatch.js';

const identity = (n: number): Matrix64 => matrix(n, n, (i, j) => Number(i === j));
const trace = (m: Matrix64): number => dot(m, identity(m.rows));
const sum = (numbers: readonly number[]): number => numbers.reduce((total, x) => total + x, 0);
const rowOf = (m: Matrix64, i: number): number[] => Array.from({ length: m.columns }, (_, j) => entry(m, i, j));

/** A batch through the network: ã and z of every layer, R summed, ∇R of its rows, and δ of every layer from that of the last. */
function passed(network: Network, W: readonly Matrix64[], samples: Samples, batch: readonly number[]) {
  const { f, slope } = activationOf(network);
  const inputs: Matrix64[] = [];
  const z: Matrix64[] = [];
  let a = matrix(
    batch.length,
    at(network.layers, 0, 'layers'),
    (i, j) => at(samples.x, at(batch, i, 'batch'), 'x')[j] ?? Number.NaN,
  );
  for (const [l, Wl] of W.entries()) {
    inputs.push(withOnes(a));
    z.push(timesTransposed(at(inputs, l, 'inputs'), Wl));
    a = map(at(z, l, 'z'), f);
  }
  const outputs = at(z, W.length - 1, 'z');
  const losses = batch.map((sample, i) => lossOf(network, rowOf(outputs, i), samples, sample));
  const back = (outer: Matrix64): readonly Matrix64[] => {
    const deltas = [outer];
    for (let l = W.length - 2; l >= 0; l--) {
      const above = times(at(deltas, 0, 'deltas'), withoutBiases(at(W, l + 1, 'W')));
      deltas.unshift(map(above, (value, i, j) => value * slope(entry(at(z, l, 'z'), i, j))));
    }
    return deltas;
  };
  return {
    inputs,
    z,
    slope,
    loss: sum(losses.map(([value]) => value)),
    gradient: map(outputs, (_, i, j) => at(at(losses, i, 'losses')[1], j, 'gradient')),
    back,
  };
}

/** ISAAC: the formula for B ≥ n, which that for B < n equals by Woodbury. */
export function isaac(
  network: Network,
  samples: Samples,
  { damping = 10, turned = 3, momentum = 0, l2 = 0 },
): UpdateRule {
  const rest = sgd({ momentum, l2 });
  return (w, _gradients, shares, t, rate, batch) => {
    const { inputs, gradient, back } = passed(network, joined(network, w), samples, batch);
    const g = back(scaled(1 / batch.length, gradient)).map((delta, l) => {
      const input = at(inputs, l, 'inputs');
      const plain = transposedTimes(delta, input);
      if (l >= turned) return plain;
      const A = withoutBiases(input);
      const gram = plus(scaled(1 / batch.length, transposedTimes(A, A)), damping, identity(A.columns));
      const own = scaled(damping, solveFromRight(withoutBiases(plain), gram));
      return map(plain, (value, i, j) => (j < own.columns ? entry(own, i, j) : value));
    });
    rest(w, [parted(g)], shares, t, rate, batch);
  };
}

/** Algorithm 1 of FOOF (Benzing, 2022), S = T = 1: Σ ← m Σ + (1 − m) ÃᵀÃ/B, begun with the first batch; W ← W − η ∇ (Σ + λI)⁻¹. */
export function foof(network: Network, samples: Samples, m: number, damping: (mean: number) => number): UpdateRule {
  const moments: Matrix64[] = [];
  return (w, _gradients, _shares, t, rate, batch) => {
    const W = joined(network, w);
    const { inputs, gradient, back } = passed(network, W, samples, batch);
    const next = back(scaled(1 / batch.length, gradient)).map((delta, l) => {
      const input = at(inputs, l, 'inputs');
      const own = scaled(1 / batch.length, transposedTimes(input, input));
      const moment = t === 1 ? own : plus(scaled(m, at(moments, l, 'moments')), 1 - m, own);
      moments[l] = moment;
      const damped = plus(moment, damping(trace(moment) / moment.rows), identity(moment.rows));
      return plus(at(W, l, 'W'), -rate, solveFromRight(transposedTimes(delta, input), damped));
    });
    w.set(parted(next));
  };
}

/** Eigenvectors of a symmetric matrix as columns, that of the largest eigenvalue first, by Jacobi's rotations. */
function eigenvectors(m: Matrix64): Matrix64 {
  let [a, v] = [m, identity(m.rows)];
  for (let sweep = 0; sweep < 30; sweep++) {
    for (let p = 0; p < m.rows; p++) {
      for (let q = p + 1; q < m.rows; q++) {
        if (entry(a, p, q) === 0) continue;
        const angle = Math.atan2(2 * entry(a, p, q), entry(a, q, q) - entry(a, p, p)) / 2;
        const turn = map(identity(m.rows), (value, i, j) => {
          if (i === p && j === q) return Math.sin(angle);
          if (i === q && j === p) return -Math.sin(angle);
          return i === j && (i === p || i === q) ? Math.cos(angle) : value;
        });
        a = transposedTimes(turn, times(a, turn));
        v = times(v, turn);
      }
    }
  }
  return ordered(
    v,
    Array.from({ length: m.rows }, (_, i) => entry(a, i, i)),
  ).columns;
}

/** The columns of a matrix by falling values, and where each comes from. */
function ordered(m: Matrix64, values: readonly number[]) {
  const order = values.map((_, i) => i).sort((i, j) => at(values, j, 'values') - at(values, i, 'values'));
  return { order, columns: map(m, (_, i, j) => entry(m, i, at(order, j, 'order'))) };
}

/** Q of the QR decomposition, by Gram and Schmidt, twice. */
function orthonormal(m: Matrix64): Matrix64 {
  const columns: number[][] = [];
  for (let j = 0; j < m.columns; j++) {
    let own = rowOf(transpose(m), j);
    for (const other of [...columns, ...columns]) {
      const share = sum(own.map((x, i) => x * at(other, i, 'other')));
      own = own.map((x, i) => x - share * at(other, i, 'other'));
    }
    const length = Math.hypot(...own);
    columns.push(own.map((x) => x / length));
  }
  return matrix(m.rows, m.columns, (i, j) => at(at(columns, j, 'columns'), i, 'column'));
}

/** Algorithm 3 of Vyas et al. (2025) for every W, Adam for biases; the first batch only makes the bases. */
export function soap(
  { layers }: Network,
  { beta1 = 0.95, beta2 = 0.95, epsilon = 1e-8, l2 = 0.01, every = 10, largest = 1e4 },
): UpdateRule {
  interface Kept {
    L: Matrix64;
    R: Matrix64;
    U: Matrix64;
    V: Matrix64;
    M: Matrix64;
    S: Matrix64;
  }
  const kept = new Map<number, Kept>();
  return (w, [g], _shares, number, rate) => {
    const t = number - 1;
    let first = 0;
    const blocks = layers.slice(1).flatMap((rows, l) => [
      { rows, columns: at(layers, l, 'layers'), based: true },
      { rows: 1, columns: rows, based: false },
    ]);
    for (const { rows, columns, based } of blocks) {
      const start = first;
      first += rows * columns;
      const G = matrix(rows, columns, (i, j) => (g as Vector)[start + i * columns + j] as number);
      const [left, right] = [based && rows <= largest, based && columns <= largest];
      if (t === 0) {
        const L = scaled(1 - beta2, timesTransposed(G, G));
        const R = scaled(1 - beta2, transposedTimes(G, G));
        const [U, V] = [left ? eigenvectors(L) : identity(rows), right ? eigenvectors(R) : identity(columns)];
        kept.set(start, { L, R, U, V, M: scaled(0, G), S: scaled(0, G) });
        continue;
      }
      const own = kept.get(start) as Kept;
      const inBasis = (X: Matrix64): Matrix64 => times(transposedTimes(own.U, X), own.V);
      own.M = plus(scaled(beta1, own.M), 1 - beta1, G);
      own.S = map(inBasis(G), (x, i, j) => beta2 * entry(own.S, i, j) + (1 - beta2) * x ** 2);
      const N = map(inBasis(own.M), (x, i, j) => x / (Math.sqrt(entry(own.S, i, j)) + epsilon));
      const step = timesTransposed(times(own.U, N), own.V);
      const length = (rate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
      for (let j = 0; j < step.data.length; j++) {
        const moved = (w[start + j] as number) - length * (step.data[j] as number);
        w[start + j] = moved - rate * l2 * moved;
      }
      own.L = plus(scaled(beta2, own.L), 1 - beta2, timesTransposed(G, G));
      own.R = plus(scaled(beta2, own.R), 1 - beta2, transposedTimes(G, G));
      if (t % every !== 0) continue;
      const improved = (moment: Matrix64, basis: Matrix64) => {
        const image = times(moment, basis);
        const { order, columns: next } = ordered(image, rowOf(diagonal(transposedTimes(basis, image)), 0));
        return { order, basis: orthonormal(next) };
      };
      if (left) {
        const { order, basis } = improved(own.L, own.U);
        own.U = basis;
        own.S = map(own.S, (_, i, j) => entry(own.S, at(order, i, 'order'), j));
      }
      if (right) {
        const { order, basis } = improved(own.R, own.V);
        own.V = basis;
        own.S = map(own.S, (_, i, j) => entry(own.S, i, at(order, j, 'order')));
      }
    }
  };
}
const diagonal = (m: Matrix64): Matrix64 => matrix(1, m.rows, (_, j) => entry(m, j, j));

export const KFAC = {
  damping: 150,
  dampingDecay: 0.95,
  dampingEvery: 5,
  factorMemory: 0.95,
  inverseEvery: 5,
  l2: 1e-5,
  scale: 1,
};
/** K-FAC of kfac-jax with everything adaptive. `scale`: 1 of a mean loss, the samples of a batch of a summed one. */
export function kfac(network: Network, samples: Samples, seed: number, settings: Partial<typeof KFAC> = {}) {
  const {
    dampingDecay,
    dampingEvery,
    factorMemory,
    inverseEvery,
    l2,
    damping: start,
    scale,
  } = { ...KFAC, ...settings };
  const dampings: number[] = [];
  const shares: number[] = [];
  let damping = start;
  let count = 0;
  let inner: Matrix64[] = [];
  let outer: Matrix64[] = [];
  let inverses: { readonly inner: Matrix64; readonly outer: Matrix64 }[] = [];
  let velocity: readonly Matrix64[] | undefined;
  const inverse = (m: Matrix64): Matrix64 => solveFromRight(identity(m.rows), m);
  const inProduct = (a: readonly Matrix64[], b: readonly Matrix64[]): number =>
    sum(a.map((x, l) => dot(x, at(b, l, 'b'))));
  const rule: UpdateRule = (w, _gradients, _shares, t, _rate, batch) => {
    const W = joined(network, w);
    const B = batch.length;
    const { inputs, z, slope, loss, gradient, back } = passed(network, W, samples, batch);
    const outputs = at(z, W.length - 1, 'z');
    const g = back(scaled(scale / B, gradient)).map((delta, l) =>
      plus(transposedTimes(delta, at(inputs, l, 'inputs')), l2, at(W, l, 'W')),
    );
    const multipliers = batch.map((_, i) => drawnMultiplier(network, rowOf(outputs, i), seed, t - 1, i));
    const v = back(map(outputs, (_, i, j) => at(at(multipliers, i, 'v'), j, 'v')));
    const average = (old: readonly Matrix64[], l: number, m: Matrix64, by: number): Matrix64 => {
      const fresh = scaled(by / B, transposedTimes(m, m));
      return old[l] === undefined ? fresh : plus(fresh, factorMemory, at(old, l, 'factor'));
    };
    count = factorMemory * count + 1;
    inner = inputs.map((m, l) => average(inner, l, m, 1));
    outer = v.map((m, l) => average(outer, l, m, scale));
    if ((t - 1) % inverseEvery === 0) {
      inverses = W.map((_, l) => {
        const [A, S] = [scaled(1 / count, at(inner, l, 'inner')), scaled(1 / count, at(outer, l, 'outer'))];
        const pi = Math.sqrt(trace(A) / A.rows / (trace(S) / S.rows));
        const root = Math.sqrt(damping + l2);
        shares[l] = root / Math.sqrt((trace(A) / A.rows) * (trace(S) / S.rows));
        return {
          inner: inverse(plus(A, pi * root, identity(A.rows))),
          outer: inverse(plus(S, root / pi, identity(S.rows))),
        };
      });
    }
    const delta = inverses.map((its, l) => times(times(its.outer, at(g, l, 'g')), its.inner));
    // How z_L moves with a direction, and the Fisher matrix between two of these.
    const forward = (direction: readonly Matrix64[]): Matrix64 => {
      let moved: Matrix64 | undefined;
      for (const [l, input] of inputs.entries()) {
        const straight = timesTransposed(input, at(direction, l, 'direction'));
        const own =
          moved === undefined ? straight : plus(straight, 1, timesTransposed(moved, withoutBiases(at(W, l, 'W'))));
        moved = l === W.length - 1 ? own : map(own, (x, i, j) => x * slope(entry(at(z, l, 'z'), i, j)));
      }
      return moved as Matrix64;
    };
    const between = (a: Matrix64, b: Matrix64): number =>
      (scale / B) *
      sum(
        batch.map((_, i) => {
          const [p, x, y] = [softmax(rowOf(outputs, i)), rowOf(a, i), rowOf(b, i)];
          if (network.loss === 'squared-error') return sum(x.map((value, j) => value * at(y, j, 'y')));
          const mean = (values: readonly number[]): number => sum(values.map((value, j) => at(p, j, 'p') * value));
          return mean(x.map((value, j) => value * at(y, j, 'y'))) - mean(x) * mean(y);
        }),
      );
    const directions = velocity === undefined ? [delta] : [delta, velocity];
    const tangents = directions.map(forward);
    const curved = tangents.map((a, i) =>
      tangents.map((b, j) => between(a, b) + l2 * inProduct(at(directions, i, 'd'), at(directions, j, 'd'))),
    );
    const damped = curved.map((row, i) =>
      row.map((value, j) => value + damping * inProduct(at(directions, i, 'd'), at(directions, j, 'd'))),
    );
    const slopes = directions.map((d) => inProduct(g, d));
    const M = matrix(directions.length, directions.length, (i, j) => at(at(damped, i, 'row'), j, 'entry'));
    const by = rowOf(
      solveFromRight(
        matrix(1, slopes.length, (_, j) => -at(slopes, j, 'slope')),
        M,
      ),
      0,
    );
    const expected =
      sum(by.flatMap((p, i) => by.map((q, j) => (p * q * at(at(curved, i, 'row'), j, 'entry')) / 2))) +
      sum(by.map((p, i) => p * at(slopes, i, 'slope')));
    velocity = W.map((_, l) =>
      directions.reduce((total, d, i) => plus(total, at(by, i, 'by'), at(d, l, 'd')), scaled(0, at(delta, l, 'delta'))),
    );
    const next = W.map((Wl, l) => plus(Wl, 1, at(velocity as readonly Matrix64[], l, 'velocity')));
    w.set(parted(next));
    if (t % dampingEvery === 0) {
      const norm = (all: readonly Matrix64[]): number => sum(all.map(squaredNorm));
      const change =
        (scale / B) * (passed(network, next, samples, batch).loss - loss) + (l2 / 2) * (norm(next) - norm(W));
      const factor = dampingDecay ** dampingEvery;
      if (change / expected < 0.25) damping /= factor;
      if (change / expected > 0.75) damping *= factor;
    }
    dampings.push(damping);
  };
  /** λ after every step; and what share of their mean eigenvalues both factors of a layer have been damped by. */
  return { rule, dampings, shares };
}
