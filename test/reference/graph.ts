/** dlADMM on a graph convolutional network as its formulas have it, dense and on all nodes of the graph. */
import { entry, type Matrix64, map, matrix, minus, plus, squaredNorm, times, transpose } from './dense.js';

export interface DenseGraph {
  /** Weights of the edges as the user gives them, nodes × nodes. */
  readonly edges: Matrix64;
  readonly x: Matrix64;
  readonly labels: readonly number[];
  readonly train: readonly number[];
}

export interface DensePenalties {
  readonly nu: number;
  readonly rho: number;
  readonly l2: readonly number[];
}

/** W_1 … W_L, Z_0 = X … Z_L, and U, all of them over every node. */
export interface DenseState {
  readonly W: readonly Matrix64[];
  readonly Z: readonly Matrix64[];
  readonly U: Matrix64;
}

/** (D + I)^{-1/2} (A + I) (D + I)^{-1/2} with A the larger of both directions. */
export function normalised({ edges }: DenseGraph): Matrix64 {
  const both = map(edges, (weight, i, j) => Math.max(weight, entry(edges, j, i)) + (i === j ? 1 : 0));
  const degrees = Array.from({ length: both.rows }, (_, i) =>
    Array.from({ length: both.rows }, (_, j) => entry(both, i, j)).reduce((sum, weight) => sum + weight, 0),
  );
  return map(both, (weight, i, j) => weight / Math.sqrt((degrees[i] as number) * (degrees[j] as number)));
}

export const relu = (x: number): number => Math.max(x, 0);

const w = (state: DenseState, l: number): Matrix64 => state.W[l - 1] as Matrix64;
const z = (state: DenseState, l: number): Matrix64 => state.Z[l] as Matrix64;
const depth = (state: DenseState): number => state.W.length;

export const product = (A: Matrix64, state: DenseState, l: number): Matrix64 =>
  times(A, times(z(state, l - 1), w(state, l)));

/** Z_l − f(P_l), without f at the output. */
export function miss(A: Matrix64, state: DenseState, l: number): Matrix64 {
  const P = product(A, state, l);
  return minus(z(state, l), l < depth(state) ? map(P, relu) : P);
}

const inner = (a: Matrix64, b: Matrix64): number => a.data.reduce((sum, x, i) => sum + x * (b.data[i] as number), 0);

/** L_ρ over every node; only those of `train` take part in the loss. */
export function graphLagrangian(graph: DenseGraph, p: DensePenalties, state: DenseState): number {
  const A = normalised(graph);
  const L = depth(state);
  const out = z(state, L);
  const row = (i: number): number[] => Array.from({ length: out.columns }, (_, j) => entry(out, i, j));
  const loss = graph.train.reduce((sum, i) => {
    const exponentials = row(i).map(Math.exp);
    return sum + Math.log(exponentials.reduce((a, b) => a + b)) - entry(out, i, graph.labels[i] as number);
  }, 0);
  const omega = state.W.reduce((sum, W, l) => sum + ((p.l2[l] as number) / 2) * squaredNorm(W), 0);
  const hidden = state.W.slice(0, -1).reduce((sum, _, l) => sum + (p.nu / 2) * squaredNorm(miss(A, state, l + 1)), 0);
  const r = miss(A, state, L);
  return loss + omega + hidden + inner(state.U, r) + (p.rho / 2) * squaredNorm(r);
}

/** ∂/∂P_l of the terms of layer l. */
function productGradient(A: Matrix64, p: DensePenalties, state: DenseState, l: number): Matrix64 {
  if (l === depth(state))
    return plus(
      map(miss(A, state, l), (r) => -p.rho * r),
      -1,
      state.U,
    );
  const P = product(A, state, l);
  return map(miss(A, state, l), (r, i, j) => (entry(P, i, j) > 0 ? -p.nu * r : 0));
}

/** S_l = ∂L_ρ/∂W_l. */
export const weightGradient = (A: Matrix64, p: DensePenalties, state: DenseState, l: number): Matrix64 =>
  plus(
    times(transpose(times(A, z(state, l - 1))), productGradient(A, p, state, l)),
    p.l2[l - 1] as number,
    w(state, l),
  );

/** ∂L_ρ/∂Z_l for l < L. */
export const nodeGradient = (A: Matrix64, p: DensePenalties, state: DenseState, l: number): Matrix64 =>
  plus(
    times(transpose(A), times(productGradient(A, p, state, l + 1), transpose(w(state, l + 1)))),
    p.nu,
    miss(A, state, l),
  );

/** `rows` of the matrix, given for some nodes, at these nodes; elsewhere what `free` says. */
export const spread = (rows: Matrix64, nodes: readonly number[], free: Matrix64): Matrix64 =>
  matrix(free.rows, free.columns, (i, j) => (nodes.includes(i) ? entry(rows, nodes.indexOf(i), j) : entry(free, i, j)));
