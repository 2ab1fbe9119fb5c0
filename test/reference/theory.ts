/** What the theory of dlADMM promises, in numbers: minimisers by brute force, and the constants of its descent. */
import { at, largest, type Matrix64, map, minus, plus, row, squaredNorm } from './dense.js';
import {
  depth,
  forward,
  lagrangian,
  linear,
  lossGradient,
  lossOf,
  type Penalties,
  type PlainState,
  type Step,
  type Target,
  type Update,
} from './layered.js';

/** (z − m)² + (a − f(z))², f with the given slope below zero. */
export function hiddenObjective(z: number, m: number, a: number, slope: number): number {
  const f = z > 0 ? z : slope * z;
  return (z - m) ** 2 + (a - f) ** 2;
}

/**
 * The smallest value of `hiddenObjective` over z, by a grid and golden-section search between the neighbours of its best
 * points. The objective is at least (z − m)², so nothing beyond |z − m| ≤ √objective(m) can be better than z = m.
 */
export function bruteForceHidden(m: number, a: number, slope: number, points = 400): { z: number; value: number } {
  const objective = (z: number): number => hiddenObjective(z, m, a, slope);
  const radius = Math.sqrt(objective(m));
  const grid = Array.from({ length: points + 1 }, (_, i) => m - radius + (2 * radius * i) / points);
  const width = (2 * radius) / points;
  return [...grid, 0]
    .map((z) => goldenSection(objective, z - width, z + width))
    .map((z) => ({ z, value: objective(z) }))
    .reduce((best, candidate) => (candidate.value < best.value ? candidate : best), { z: m, value: objective(m) });
}

/** The minimiser of a function with one valley in [low, high]. */
export function goldenSection(f: (x: number) => number, low: number, high: number): number {
  const share = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [low, high];
  for (let i = 0; i < 90; i++) {
    const [left, right] = [b - share * (b - a), a + share * (b - a)];
    if (f(left) < f(right)) b = right;
    else a = left;
  }
  return (a + b) / 2;
}

/** max |∇R(z_L) + u + ρ (z_L − m_L)|: zero right after an exact z_L step, while u is the old one. */
export function outputStationarity(state: PlainState, rho: number): number {
  const L = depth(state);
  const z = at(state.z, L, 'z');
  const gradient = plus(lossGradient(z, state.target), 1, state.u);
  return largest(plus(gradient, rho, minus(z, linear(state, L))));
}

/** The columns' means of z_l − m_l (+ u/ρ at the output layer): zero right after b_l. */
export function meanResidual(state: PlainState, l: number, rho: number): number[] {
  const miss = minus(at(state.z, l, 'z'), linear(state, l));
  const wanted = l < depth(state) ? miss : plus(miss, 1 / rho, state.u);
  const sums = Array.from({ length: wanted.columns }, () => 0);
  map(wanted, (x, _, j) => {
    sums[j] = at(sums, j, 'sums') + x;
    return x;
  });
  return sums.map((sum) => sum / wanted.rows);
}

/** H, the Lipschitz constant of ∇R for the loss summed over the samples: ½ for softmax cross-entropy, 1 for ½‖z − y‖². */
export function lipschitz(target: Target): number {
  return target.loss === 'cross-entropy' ? 0.5 : 1;
}

/** The smallest ρ that makes the Lagrangian fall from one sweep to the next: (√17 − 1)/2 · H. */
export function monotoneRho(H: number): number {
  return ((Math.sqrt(17) - 1) / 2) * H;
}

/** The ρ above which C1' > 0, so that the decrease bounds the steps: (√17 + 1)/2 · H. */
export function descentRho(H: number): number {
  return ((Math.sqrt(17) + 1) / 2) * H;
}

/** C1' = ρ/2 − H/2 − 2H²/ρ: the paper's C1 with the factor 2 of ‖x + y‖² ≤ 2‖x‖² + 2‖y‖². */
export function c1(rho: number, H: number): number {
  return rho / 2 - H / 2 - (2 * H * H) / rho;
}

/** C2' = min(ν/2, C1', ½ of all accepted θ and τ), the decrease of the Lagrangian for each unit of `stepSquares`. */
export function c2({ nu, rho }: Pick<Penalties, 'nu' | 'rho'>, H: number, steps: readonly Step[]): number {
  const halves = steps
    .flatMap(({ theta, tau }) => [theta, tau])
    .flatMap((step) => (step === undefined ? [] : step / 2));
  return Math.min(nu / 2, c1(rho, H), ...halves);
}

/** ‖Δ‖² of the variable that `update` renewed. */
export function changeSquared(before: PlainState, after: PlainState, { block, layer }: Update): number {
  const of = (state: PlainState): Matrix64 => {
    switch (block) {
      case 'W':
        return at(state.W, layer, 'W');
      case 'b':
        return row(at(state.b, layer, 'b'));
      case 'z':
        return at(state.z, layer, 'z');
      case 'a':
        return at(state.a, layer, 'a');
      case 'u':
        return state.u;
    }
  };
  return squaredNorm(minus(of(after), of(before)));
}

/** S_k of equation (17): the squares of all steps of a sweep in W, b, a and z_L (hidden z and u do not count). */
export function stepSquares(before: PlainState, steps: readonly (Step & { readonly update: Update })[]): number {
  let sum = 0;
  let last = before;
  for (const { state, update } of steps) {
    const counts = update.block === 'z' ? update.layer === depth(state) : update.block !== 'u';
    if (counts) sum += changeSquared(last, state, update);
    last = state;
  }
  return sum;
}

/**
 * The lower bound of Proposition 1, true where u = −∇R(z_L): Σ Ω + ν/2 Σ(…) + R(m_L) + (ρ − H)/2 ‖r_L‖².
 */
export function lowerBound(state: PlainState, penalties: Pick<Penalties, 'nu' | 'rho' | 'l2'>): number {
  const L = depth(state);
  const m = linear(state, L);
  const z = at(state.z, L, 'z');
  const hidden = lagrangian(state, { ...penalties, rho: 0 }) - lossOf(z, state.target) - dualTerm();
  return hidden + lossOf(m, state.target) + ((penalties.rho - lipschitz(state.target)) / 2) * squaredNorm(minus(z, m));

  function dualTerm(): number {
    const r = minus(z, m);
    return r.data.reduce((sum, x, i) => sum + x * (state.u.data[i] ?? Number.NaN), 0);
  }
}

/** R of the network's own outputs, summed. */
export function networkLoss(state: PlainState): number {
  return lossOf(forward(state, at(state.a, 0, 'a')), state.target);
}
