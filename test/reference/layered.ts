/**
 * dlADMM in plain loops, to be held beside the paper: Wang, Yu, Chen, Zhao, "ADMM for Efficient Deep Learning with
 * Global Convergence", KDD 2019. It is the oracle that faster programs are compared with, so every product is computed
 * afresh and nothing is shared between updates.
 *
 * The paper's columns are our rows: z_l, a_l, u are samples x n_l and W_l a_{l-1} is `a Wᵀ`. Lists are indexed by the
 * paper's l: `a[0]` is X, `W[1]` is W_1, and what the paper does not have (W_0, b_0, z_0) is empty.
 */
import { expected } from '../../src/core/errors.js';
import {
  at,
  dot,
  entry,
  largest,
  type Matrix64,
  map,
  matrix,
  minus,
  NONE,
  plus,
  scaled,
  squaredNorm,
  times,
  timesTransposed,
  transposedTimes,
} from './dense.js';

/** f(x) = x for x > 0 and slope · x below: ReLU (0), leaky ReLU, identity (1). */
export interface PlainLayer {
  readonly units: number;
  readonly slope: number;
}

/** The softmax in the losses: the stable one, or the formula of the published code. */
export type Softmax = 'stable' | 'official';

/** R(z; y), always summed over the samples. */
export type Target =
  | { readonly loss: 'cross-entropy'; readonly labels: Int32Array; readonly softmax: Softmax }
  | { readonly loss: 'squared'; readonly y: Matrix64 };

/** All variables of the split network. */
export interface PlainState {
  /** `layers[0]` is the input; the slopes of the input and of the output layer are not used. */
  readonly layers: readonly PlainLayer[];
  readonly W: readonly Matrix64[];
  readonly b: readonly Float64Array[];
  readonly z: readonly Matrix64[];
  readonly a: readonly Matrix64[];
  readonly u: Matrix64;
  readonly target: Target;
  /** The step sizes accepted last, by layer; a direction of zero with the exact search reports them. */
  readonly theta: readonly (number | undefined)[];
  readonly tau: readonly (number | undefined)[];
}

/** How the z_L sub-problem is solved: to the last digits, or by the published FISTA loop. */
export type OutputSolver =
  | { readonly kind: 'exact' }
  | { readonly kind: 'fista'; readonly step: number; readonly tolerance: number; readonly maxIterations: number };

export interface Penalties {
  /** ν, of the hidden constraints. */
  readonly nu: number;
  /** ρ, of the output constraint. */
  readonly rho: number;
  readonly theta0: number;
  readonly tau0: number;
  /** γ = η > 1 of Algorithms 2 to 5. */
  readonly growth: number;
  readonly search: 'backtracking' | 'exact';
  /** λ in Ω_l(W) = λ/2 ‖W‖². */
  readonly l2: number;
  readonly output: OutputSolver;
}

/** One update of a sweep; layers count from 1. */
export interface Update {
  readonly block: 'W' | 'b' | 'z' | 'a' | 'u';
  readonly layer: number;
}

/** The state after an update, with the step size it accepted or the number of FISTA steps it took. */
export interface Step {
  readonly state: PlainState;
  readonly theta?: number;
  readonly tau?: number;
  readonly fista?: number;
}

/** L, the number of weight layers. */
export const depth = (state: PlainState): number => state.layers.length - 1;

const activation =
  (slope: number) =>
  (x: number): number =>
    x > 0 ? x : slope * x;

/** `list` with the item at `index` replaced. */
const replaced = <T>(list: readonly T[], index: number, item: T): T[] =>
  list.map((old, i) => (i === index ? item : old));

// ---------------------------------------------------------------------------------------------------- losses

const EPSILON = 1e-10;
const CLIPPED_EXPONENTIAL = Math.exp(88.6);

/** p(x), row by row. */
export function softmaxRows(x: Matrix64, kind: Softmax): Matrix64 {
  const exponential = (value: number): number => {
    const e = Math.exp(value);
    return e === Number.POSITIVE_INFINITY ? CLIPPED_EXPONENTIAL : e;
  };
  const shift = rowMaxima(x);
  const e = map(x, (value, i) => (kind === 'stable' ? Math.exp(value - (shift[i] as number)) : exponential(value)));
  const sums = new Float64Array(x.rows);
  for (let i = 0; i < x.rows; i++) for (let j = 0; j < x.columns; j++) sums[i] = (sums[i] as number) + entry(e, i, j);
  return map(e, (value, i) => value / ((sums[i] as number) + (kind === 'official' ? EPSILON : 0)));
}

const rowMaxima = (x: Matrix64): number[] =>
  Array.from({ length: x.rows }, (_, i) => Math.max(...x.data.subarray(i * x.columns, (i + 1) * x.columns)));

const oneHot = (labels: Int32Array, classes: number): Matrix64 =>
  matrix(labels.length, classes, (i, j) => (labels[i] === j ? 1 : 0));

/** R(x; y), summed over the samples; `x` is samples x n_L. */
export function lossOf(x: Matrix64, target: Target): number {
  if (target.loss === 'squared') return squaredNorm(minus(x, target.y)) / 2;
  const { labels, softmax } = target;
  let sum = 0;
  if (softmax === 'official') {
    const p = softmaxRows(x, softmax);
    for (let i = 0; i < x.rows; i++) sum -= Math.log(entry(p, i, labels[i] as number) || EPSILON);
  } else {
    const shift = rowMaxima(x);
    for (let i = 0; i < x.rows; i++) {
      const most = shift[i] as number;
      let total = 0;
      for (let j = 0; j < x.columns; j++) total += Math.exp(entry(x, i, j) - most);
      sum += Math.log(total) + most - entry(x, i, labels[i] as number);
    }
  }
  return sum;
}

/** ∇R(x; y): p(x) − y, or x − y. */
export function lossGradient(x: Matrix64, target: Target): Matrix64 {
  if (target.loss === 'squared') return minus(x, target.y);
  const p = softmaxRows(x, target.softmax);
  return map(p, (value, i, j) => value - (target.labels[i] === j ? 1 : 0));
}

// ------------------------------------------------------------------------------------------- network and function

/** W a + b. */
function affine(a: Matrix64, W: Matrix64, b: Float64Array): Matrix64 {
  const p = timesTransposed(a, W);
  return matrix(p.rows, p.columns, (i, j) => entry(p, i, j) + (b[j] as number));
}

/** m_l = W_l a_{l-1} + b_l, from the state's a_{l-1}. */
export function linear(state: PlainState, l: number): Matrix64 {
  return affine(at(state.a, l - 1, 'a'), at(state.W, l, 'W'), at(state.b, l, 'b'));
}

/** The output of the network for X: h ← f_l(W_l h + b_l), the last layer linear. */
export function forward(state: Pick<PlainState, 'layers' | 'W' | 'b'>, X: Matrix64): Matrix64 {
  const L = state.layers.length - 1;
  let h = X;
  for (let l = 1; l <= L; l++) {
    const m = affine(h, at(state.W, l, 'W'), at(state.b, l, 'b'));
    h = l < L ? map(m, activation(at(state.layers, l, 'layers').slope)) : m;
  }
  return h;
}

/** The share of rows of `outputs` whose largest entry (the first one of equals) is at the label. */
export function accuracyOf(outputs: Matrix64, labels: Int32Array): number {
  let right = 0;
  for (let i = 0; i < outputs.rows; i++) {
    let best = 0;
    for (let j = 1; j < outputs.columns; j++) if (entry(outputs, i, j) > entry(outputs, i, best)) best = j;
    if (best === labels[i]) right++;
  }
  return right / outputs.rows;
}

/** r_l = z_l − W_l a_{l-1} − b_l for l = 1 … L, and a_l − f_l(z_l) for l = 1 … L − 1; index 0 is empty. */
export function residuals(state: PlainState): { readonly r: readonly Matrix64[]; readonly act: readonly Matrix64[] } {
  const L = depth(state);
  const r = [NONE];
  const act = [NONE];
  for (let l = 1; l <= L; l++) r.push(minus(at(state.z, l, 'z'), linear(state, l)));
  for (let l = 1; l < L; l++) act.push(minus(at(state.a, l, 'a'), activated(state, l)));
  return { r, act };
}

/** f_l(z_l). */
const activated = (state: PlainState, l: number): Matrix64 =>
  map(at(state.z, l, 'z'), activation(at(state.layers, l, 'layers').slope));

/** Equation (1): L_ρ = R(z_L; y) + Σ Ω_l(W_l) + φ(W, b, z, a, u). */
export function lagrangian(state: PlainState, { nu, rho, l2 }: Pick<Penalties, 'nu' | 'rho' | 'l2'>): number {
  const L = depth(state);
  const { r, act } = residuals(state);
  let phi = 0;
  for (let l = 1; l < L; l++) phi += (nu / 2) * (squaredNorm(at(r, l, 'r')) + squaredNorm(at(act, l, 'act')));
  const rL = at(r, L, 'r');
  phi += dot(state.u, rL) + (rho / 2) * squaredNorm(rL);
  let omega = 0;
  for (let l = 1; l <= L; l++) omega += (l2 / 2) * squaredNorm(at(state.W, l, 'W'));
  return lossOf(at(state.z, L, 'z'), state.target) + omega + phi;
}

// ------------------------------------------------------------------------------------------------ the quadratic step

/** ∇φ with respect to m_l: ν (m_l − z_l), at the output layer ρ (m_L − z_L) − u. */
function linearGradient(state: PlainState, l: number, { nu, rho }: Penalties): Matrix64 {
  const miss = minus(linear(state, l), at(state.z, l, 'z'));
  return l < depth(state) ? scaled(nu, miss) : minus(scaled(rho, miss), state.u);
}

/**
 * The terms of φ that hold m_l: ν/2 ‖z_l − m_l‖², at the output layer ρ/2 ‖z_L − m_L + u/ρ‖². The latter is
 * ⟨u, r⟩ + ρ/2 ‖r‖² with the square completed: it differs by a constant, which the acceptance test does not see.
 */
function linearTerms(state: PlainState, l: number, m: Matrix64, { nu, rho }: Penalties): number {
  const r = minus(at(state.z, l, 'z'), m);
  return l < depth(state) ? (nu / 2) * squaredNorm(r) : (rho / 2) * squaredNorm(plus(r, 1 / rho, state.u));
}

/** What a quadratic step needs to know of φ as a function of one block x. */
interface Block {
  readonly current: Matrix64;
  readonly gradient: Matrix64;
  readonly phi: (x: Matrix64) => number;
  /** κ of the direction: φ(x − d) is the quadratic model exactly when θ = κ. */
  readonly curvature: (direction: Matrix64) => number;
  readonly l2: number;
  readonly start: number;
  readonly last: number | undefined;
}

/**
 * Algorithms 2 to 5: x⁺ = argmin of the quadratic model with θ, plus Ω. With Ω = λ/2 ‖x‖² this is
 * x − S / (θ + λ), S = ∇φ + λ x; θ grows until φ(x⁺) ≤ φ(x) + ⟨∇φ, x⁺ − x⟩ + θ/2 ‖x⁺ − x‖².
 */
function quadraticStep(
  block: Block,
  { growth, search }: Pick<Penalties, 'growth' | 'search'>,
): { readonly x: Matrix64; readonly step: number } {
  const { current, gradient, phi, l2 } = block;
  const direction = plus(gradient, l2, current);
  if (squaredNorm(direction) === 0)
    return { x: current, step: search === 'exact' ? (block.last ?? block.start) : block.start };
  const stepped = (theta: number): Matrix64 => plus(current, -1 / (theta + l2), direction);
  if (search === 'exact') {
    const kappa = block.curvature(direction);
    return { x: stepped(kappa), step: kappa };
  }
  const here = phi(current);
  const model = (x: Matrix64, theta: number): number => {
    const change = minus(x, current);
    return here + dot(gradient, change) + (theta / 2) * squaredNorm(change);
  };
  let theta = block.start;
  let x = stepped(theta);
  while (phi(x) > model(x, theta)) {
    theta *= growth;
    x = stepped(theta);
  }
  return { x, step: theta };
}

/** Equations (9), (11): W_l by a quadratic step (Algorithms 3, 4). ∇φ = (∂φ/∂m_l)ᵀ a_{l-1}. */
export function updateW(state: PlainState, l: number, penalties: Penalties): Step {
  const input = at(state.a, l - 1, 'a');
  const b = at(state.b, l, 'b');
  const weight = l < depth(state) ? penalties.nu : penalties.rho;
  const { x, step } = quadraticStep(
    {
      current: at(state.W, l, 'W'),
      gradient: transposedTimes(linearGradient(state, l, penalties), input),
      phi: (W) => linearTerms(state, l, affine(input, W, b), penalties),
      curvature: (S) => (weight * squaredNorm(timesTransposed(input, S))) / squaredNorm(S),
      l2: penalties.l2,
      start: penalties.theta0,
      last: state.theta[l],
    },
    penalties,
  );
  return { state: { ...state, W: replaced(state.W, l, x), theta: replaced(state.theta, l, step) }, theta: step };
}

/** Equations (3), (16): a_l, l < L, by a quadratic step (Algorithms 2, 5). ∇φ = (∂φ/∂m_{l+1}) W_{l+1} + ν (a_l − f_l(z_l)). */
export function updateA(state: PlainState, l: number, penalties: Penalties): Step {
  if (l < 1 || l >= depth(state))
    throw expected(`a hidden layer (1 … ${depth(state) - 1})`, 'l', l, 'ERR_DLADMM_RANGE');
  const { nu } = penalties;
  const a = at(state.a, l, 'a');
  const f = activated(state, l);
  const W = at(state.W, l + 1, 'W');
  const b = at(state.b, l + 1, 'b');
  const weight = l + 1 < depth(state) ? nu : penalties.rho;
  const fromAbove = times(linearGradient(state, l + 1, penalties), W);
  const { x, step } = quadraticStep(
    {
      current: a,
      gradient: plus(fromAbove, nu, minus(a, f)),
      phi: (x) => linearTerms(state, l + 1, affine(x, W, b), penalties) + (nu / 2) * squaredNorm(minus(x, f)),
      curvature: (g) => (weight * squaredNorm(timesTransposed(g, W)) + nu * squaredNorm(g)) / squaredNorm(g),
      l2: 0,
      start: penalties.tau0,
      last: state.tau[l],
    },
    penalties,
  );
  return { state: { ...state, a: replaced(state.a, l, x), tau: replaced(state.tau, l, step) }, tau: step };
}

// -------------------------------------------------------------------------------------------- the closed forms

/**
 * Equations (6), (7), (12), (13): b_l. The paper's step b − ∇φ/ν (∇φ/ρ) is the minimiser for one sample; for a batch the
 * minimiser is b + mean of z_l − m_l, at the output layer of z_L − m_L + u/ρ.
 */
export function updateB(state: PlainState, l: number, { rho }: Penalties): Step {
  const miss = minus(at(state.z, l, 'z'), linear(state, l));
  const wanted = l < depth(state) ? miss : plus(miss, 1 / rho, state.u);
  const b = at(state.b, l, 'b').map((old, j) => {
    let sum = 0;
    for (let i = 0; i < wanted.rows; i++) sum += entry(wanted, i, j);
    return old + sum / wanted.rows;
  });
  return { state: { ...state, b: replaced(state.b, l, b) } };
}

/** The minimiser of (z − m)² + (a − f(z))²: the better of the minimisers on z ≤ 0 and on z ≥ 0, the former of equals. */
export function hiddenZ(m: number, a: number, slope: number): number {
  const f = activation(slope);
  const objective = (z: number): number => (z - m) ** 2 + (a - f(z)) ** 2;
  const negative = Math.min((m + slope * a) / (1 + slope ** 2), 0);
  const positive = Math.max((m + a) / 2, 0);
  return objective(negative) > objective(positive) ? positive : negative;
}

/** Equations (4), (14): z_l, l < L, entry by entry; ν is common to both terms. At l = L see `updateOutputZ`. */
export function updateZ(state: PlainState, l: number, penalties: Penalties): Step {
  if (l === depth(state)) return updateOutputZ(state, penalties);
  const a = at(state.a, l, 'a');
  const { slope } = at(state.layers, l, 'layers');
  const z = map(linear(state, l), (m, i, j) => hiddenZ(m, entry(a, i, j), slope));
  return { state: { ...state, z: replaced(state.z, l, z) } };
}

/** Equations (5), (15): z_L, the minimiser of R(z; y) + ⟨u, z − m⟩ + ρ/2 ‖z − m‖². */
export function updateOutputZ(state: PlainState, penalties: Penalties): Step {
  const L = depth(state);
  const { rho, output } = penalties;
  const m = linear(state, L);
  if (output.kind === 'fista') {
    const { x, count } = fista(at(state.z, L, 'z'), m, state.u, state.target, rho, output);
    return { state: { ...state, z: replaced(state.z, L, x) }, fista: count };
  }
  return { state: { ...state, z: replaced(state.z, L, exactOutputZ(m, state.u, state.target, rho)) } };
}

/** The dual step of Algorithm 1: u ← u + ρ (z_L − W_L a_{L-1} − b_L). */
export function updateU(state: PlainState, { rho }: Penalties): Step {
  const r = at(residuals(state).r, depth(state), 'r');
  return { state: { ...state, u: plus(state.u, rho, r) } };
}

// ------------------------------------------------------------------------------------------------------ z_L, exactly

/** The zero of ∇R(z) + u + ρ (z − m), for the stable softmax or the squared loss. */
export function exactOutputZ(m: Matrix64, u: Matrix64, target: Target, rho: number): Matrix64 {
  if (target.loss === 'squared')
    return map(m, (x, i, j) => (entry(target.y, i, j) - entry(u, i, j) + rho * x) / (1 + rho));
  if (target.softmax !== 'stable') throw expected("'stable' with the exact z_L", 'softmax', target.softmax);
  const y = oneHot(target.labels, m.columns);
  const rows = Array.from({ length: m.rows }, (_, i) =>
    softmaxProximal(
      Array.from({ length: m.columns }, (_, j) => entry(y, i, j) - entry(u, i, j) + rho * entry(m, i, j)),
      rho,
    ),
  );
  return matrix(m.rows, m.columns, (i, j) => rows[i]?.[j] as number);
}

/**
 * The zero z of softmax(z) + ρ z − q. With c = log Σ exp z and s_i = z_i − c = log p_i, each s_i solves the scalar equation
 * exp(s) + ρ s = q_i − ρ c, which grows in s, and c is where Σ exp s_i = 1, which falls in c. A few Newton steps on the
 * whole row then take away the rounding of the subtraction q − ρ c.
 */
export function softmaxProximal(q: readonly number[], rho: number): number[] {
  const logP = (qi: number, c: number): number => {
    const t = qi - rho * c;
    const high = t > 0 ? Math.min(t / rho, Math.max(0, Math.log(t))) : t / rho;
    return growingRoot(
      (s) => ({ value: Math.exp(s) + rho * s - t, slope: Math.exp(s) + rho }),
      Math.min(0, (t - 1) / rho),
      high,
    );
  };
  const excess = (c: number): { value: number; slope: number } => {
    let value = 1;
    let slope = 0;
    for (const qi of q) {
      const p = Math.exp(logP(qi, c));
      value -= p;
      slope += (rho * p) / (p + rho);
    }
    return { value, slope };
  };
  // 0 ≤ p_i ≤ 1 puts z_i = (q_i − p_i)/ρ into an interval, and with it c.
  const most = Math.max(...q);
  const c = growingRoot(excess, (most - 1) / rho, most / rho + Math.log(q.length));
  let z = q.map((qi) => c + logP(qi, c));
  for (let polish = 0; polish < 4; polish++) z = newtonStep(z, q, rho);
  return z;
}

/** One Newton step for softmax(z) + ρ z = q, kept only if it does not enlarge the largest |gradient entry|. */
function newtonStep(z: readonly number[], q: readonly number[], rho: number): number[] {
  const gradientAt = (x: readonly number[]): { p: readonly number[]; g: readonly number[] } => {
    const p = Array.from(softmaxRows({ data: Float64Array.from(x), rows: 1, columns: x.length }, 'stable').data);
    return { p, g: x.map((xi, i) => at(p, i, 'p') + rho * xi - at(q, i, 'q')) };
  };
  const { p, g } = gradientAt(z);
  // (diag(p + ρ) − p pᵀ)⁻¹ g by the Sherman–Morrison formula; 1 − Σ p²/(p + ρ) = Σ ρ p/(p + ρ) > 0.
  const dg = g.map((gi, i) => gi / (at(p, i, 'p') + rho));
  const dp = p.map((pi) => pi / (pi + rho));
  const pdg = p.reduce((sum, pi, i) => sum + pi * at(dg, i, 'dg'), 0);
  const factor = pdg / p.reduce((sum, pi) => sum + (rho * pi) / (pi + rho), 0);
  const next = z.map((zi, i) => zi - at(dg, i, 'dg') - factor * at(dp, i, 'dp'));
  const size = (v: readonly number[]): number => Math.max(...v.map(Math.abs));
  return size(gradientAt(next).g) < size(g) ? next : [...z];
}

/** The zero in [low, high] of a growing function: Newton's method, by bisection wherever it would leave the bracket. */
export function growingRoot(f: (x: number) => { value: number; slope: number }, low: number, high: number): number {
  let x = low + (high - low) / 2;
  for (let i = 0; i < 400; i++) {
    const { value, slope } = f(x);
    if (value === 0 || !(low < high)) return x;
    if (value > 0) high = x;
    else low = x;
    const newton = x - value / slope;
    // Every fourth step halves the bracket, whatever Newton's method wants: that bounds the number of steps.
    const next = newton > low && newton < high && i % 4 !== 3 ? newton : low + (high - low) / 2;
    if (next === x || next === low || next === high) return next;
    x = next;
  }
  return x;
}

// ----------------------------------------------------------------------------------------------- z_L, as published

/**
 * The published FISTA loop: prox steps of size `step` on R, extrapolated, from the current z_L with t = 1, until F changes
 * by less than the tolerance. `x` is the extrapolated point, which is what the published code returns; `y` is the prox
 * point before the extrapolation, and `count` how often they were renewed.
 */
export function fista(
  start: Matrix64,
  m: Matrix64,
  u: Matrix64,
  target: Target,
  rho: number,
  { step: s, tolerance, maxIterations }: Extract<OutputSolver, { kind: 'fista' }>,
): { readonly x: Matrix64; readonly y: Matrix64; readonly count: number } {
  const F = (x: Matrix64): number => lossOf(x, target) + (rho / 2) * squaredNorm(plus(minus(x, m), 1 / rho, u));
  let x = start;
  let y = start;
  let t = 1;
  let previous = 1e11;
  let count = 0;
  for (; count < maxIterations; count++) {
    const value = F(x);
    if (Math.abs(value - previous) < tolerance) break;
    previous = value;
    const forwardPoint = plus(x, -s, lossGradient(x, target));
    const point = scaled(1 / (rho + 1 / s), plus(scaled(rho, plus(m, -1 / rho, u)), 1 / s, forwardPoint));
    const tNext = (1 + Math.sqrt(1 + 4 * t * t)) / 2;
    x = plus(point, (t - 1) / tNext, minus(point, y));
    y = point;
    t = tNext;
  }
  return { x, y, count };
}

// -------------------------------------------------------------------------------------------------------- sweeps

/** Algorithm 1 of the paper: from the last layer back to the first (a z b W), forward again (W b z a), then u. */
export function dladmmSweep(L: number): Update[] {
  const updates = (blocks: string, layer: number): Update[] =>
    Array.from(blocks, (block) => ({ block: block as Update['block'], layer }));
  const hidden = Array.from({ length: L - 1 }, (_, i) => i + 1);
  return [
    ...updates('zbW', L),
    ...hidden.toReversed().flatMap((l) => updates('azbW', l)),
    ...hidden.flatMap((l) => updates('Wbza', l)),
    ...updates('Wbz', L),
    ...updates('u', L),
  ];
}

/** Carries out one update. */
export function applyUpdate(state: PlainState, { block, layer }: Update, penalties: Penalties): Step {
  switch (block) {
    case 'W':
      return updateW(state, layer, penalties);
    case 'b':
      return updateB(state, layer, penalties);
    case 'z':
      return updateZ(state, layer, penalties);
    case 'a':
      return updateA(state, layer, penalties);
    case 'u':
      return updateU(state, penalties);
  }
}

/** Carries out `updates` in their order; one step for each, and the state after the last. */
export function runSweep(
  state: PlainState,
  updates: readonly Update[],
  penalties: Penalties,
  apply: typeof applyUpdate = applyUpdate,
): { readonly state: PlainState; readonly steps: readonly (Step & { readonly update: Update })[] } {
  const steps: (Step & { readonly update: Update })[] = [];
  let current = state;
  for (const update of updates) {
    const step = apply(current, update, penalties);
    steps.push({ ...step, update });
    current = step.state;
  }
  return { state: current, steps };
}

/**
 * The state before the first sweep: z_l and a_l, l < L, by a forward pass. z_L continues it ('forward'), or is +1 at the
 * label and −1 elsewhere ('signs', as published). u is zero, or −∇R(z_L), which makes Lemma B.2 true from the start.
 */
export function startState(start: {
  readonly layers: readonly PlainLayer[];
  /** W_1 … W_L and b_1 … b_L. */
  readonly W: readonly Matrix64[];
  readonly b: readonly Float64Array[];
  readonly X: Matrix64;
  readonly target: Target;
  readonly output: 'forward' | 'signs';
  readonly dual: 'zero' | 'minus gradient';
}): PlainState {
  const { layers, X, target } = start;
  const L = layers.length - 1;
  const W = [NONE, ...start.W];
  const b = [new Float64Array(0), ...start.b];
  const z = [NONE];
  const a = [X];
  for (let l = 1; l <= L; l++) {
    const m = affine(at(a, l - 1, 'a'), at(W, l, 'W'), at(b, l, 'b'));
    z.push(m);
    if (l < L) a.push(map(m, activation(at(layers, l, 'layers').slope)));
  }
  if (start.output === 'signs') {
    if (target.loss === 'squared') throw expected("'forward' with targets that are no classes", 'output', start.output);
    z[L] = map(oneHot(target.labels, at(layers, L, 'layers').units), (y) => 2 * y - 1);
  }
  const u = map(lossGradient(at(z, L, 'z'), target), (g) => (start.dual === 'zero' ? 0 : -g));
  const none = layers.map(() => undefined);
  return { layers, W, b, z, a, u, target, theta: none, tau: none };
}

/** max |∇R(z_L) + u|, zero after a dual step that follows an exact z_L (Lemma B.2). */
export function dualGradient(state: PlainState): number {
  return largest(plus(lossGradient(at(state.z, depth(state), 'z'), state.target), 1, state.u));
}
