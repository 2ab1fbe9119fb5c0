/**
 * Variable-metric ADMM: dlADMM's splitting with a multiplier for every layer, and matrices in place of the penalties.
 *
 *     min  F = (1/N) Σ R(z_L; y) + (λ/2) Σ_l ‖[W_l b_l]‖²   s.t.  z_l = [W_l b_l] ã_{l−1},  a_l = f(z_l),  ã_l = (a_l, 1)
 *
 * A sweep ends feasible: z and a are their constraints' own values, so every residual is zero and the augmented Lagrangian is
 * F, whatever the penalties. There the multipliers that make it stationary in every z_l and a_l are known in closed form, and
 * what is left of the KKT conditions is ∂F/∂[W_l b_l] = u_lᵀ ã_{l−1}/N + λ [W_l b_l] = 0. A step of W_l is the proximal ridge
 * regression on the targets z_l − P_l⁻¹ u_l,
 *
 *     min over W of ½ ‖z_l − P_l⁻¹ u_l − W ã_{l−1}‖²_{P_l}/N + (c/2) ‖W − [W_l b_l]‖² in the metrics of both sides
 *
 * whose solution lies −Δ_l = −P_l⁻¹ ∂F/∂[W_l b_l] G_l⁻¹ from where W_l stands.
 *
 * Relatives, told straight. After z, a and u are eliminated this is K-FAC on all samples at once (J. Martens, R. Grosse, ICML
 * 2015): P_l and G_l are its two factors, multipliers drawn from the model's own labels make P_l, and the heavy ball and the
 * damping by the reduction ratio are those of second-order methods. With P_l = I it is the step of FOOF (F. Benzing, ICML 2022)
 * and nearly that of ProxProp (T. Frerix et al., ICLR 2018); LocoProp (E. Amid et al., 2022) fits targets of the same kind. What
 * the reading as ADMM gives are the multipliers, the targets and the certificate in every record.
 */

import { a, G, type MetricUpdate, P, u, W, z } from '../shared/sweep.js';

/** A step in the metrics of the point where it begins, then that point's successor. */
export function* metricSweep(L: number): Generator<MetricUpdate> {
  for (let l = 1; l <= L; l += 1) yield W(l); //  V_l ← m V_l − s Δ_l,  [W_l b_l] ← [W_l b_l] + V_l
  for (let l = 1; l <= L; l += 1) {
    yield z(l); //  z_l ← [W_l b_l] ã_{l−1}
    if (l < L) yield a(l); //  a_l ← f(z_l)
  }
  for (let l = L; l >= 1; l -= 1) yield u(l); //  u_L ← ∇R(z_L),  u_l ← (u_{l+1} W_{l+1}) ∘ f′(z_l)
  for (let l = 1; l <= L; l += 1) {
    yield P(l); //  P_l ← v_lᵀ v_l / N + c_P (trace / n_l) I, with v the multipliers for labels that the model draws
    yield G(l); //  G_l ← ã_{l−1}ᵀ ã_{l−1} / N + c (trace / n) I
  }
}

/** What may change from sweep to sweep. */
export interface Damping {
  /** s, the length of a step. */
  readonly rate: number;
  /** m, what is kept of the step before: the given one, or 0 after a step that was taken back. */
  readonly momentum: number;
  /** c: G_l has so many times its mean eigenvalue on its diagonal. */
  readonly damping: number;
}

/** What a sweep says of its step. */
interface Trusted {
  /** The change of F over the one that its gradient foretold: 1 where F is linear along the step. */
  readonly reduction: number;
  /** Whether F did not rise. */
  readonly kept: boolean;
}

/** What follows from how well F was foretold: the length of the next step, or c. */
export const ADAPTED = ['length', 'damping'] as const;
export type Adapted = (typeof ADAPTED)[number];

/** Levenberg and Marquardt's rule: how far the step is trusted follows from how well F was foretold. */
const LOW = 0.25;
const HIGH = 0.6;
const LONGER = { length: 1.1, damping: 1.25 };
const SHORTER = 0.8;
const TAKEN_BACK = 0.5;

/**
 * The next damping. A step that F did not bear is taken back and tried again at half its length, or with twice the damping, and
 * without inertia (a restart of the heavy ball); one that lowered F by less than a quarter of what was foretold makes the next
 * ones shorter or more damped, by more than {@link HIGH} longer or less.
 */
export function nextDamping(
  { rate, damping }: Damping,
  { momentum, adapts }: { readonly momentum: number; readonly adapts: Adapted },
  { reduction, kept }: Trusted,
): Damping {
  const trust = !kept ? TAKEN_BACK : reduction < LOW ? SHORTER : reduction > HIGH ? LONGER[adapts] : 1;
  const next = adapts === 'length' ? { rate: rate * trust, damping } : { rate, damping: damping / trust };
  return { ...next, momentum: kept ? momentum : 0 };
}
