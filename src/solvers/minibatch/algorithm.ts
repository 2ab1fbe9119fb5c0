/**
 * Mini-batch dlADMM. None of the papers has it; it puts together dlADMM's splitting (Wang et al., KDD 2019), the exact W
 * step of the matrix-inversion ADMM (Taylor et al., ICML 2016) and a Gram matrix that remembers earlier batches.
 *
 * For a batch of B samples the forward pass makes every variable feasible, z_l = W_l a_{l−1} + b_l and a_l = f(z_l), so all
 * residuals are zero. A sweep then moves targets backward, each by a quadratic step of length 1 on what it is to fit:
 *
 *     z_L   target = z_L − ∇R(z_L)                                       D_L = z_L − target
 *     a_l   target = a_l − W_{l+1}ᵀ (z_{l+1} − target of z_{l+1})        D   = a_l − target
 *     z_l   target = z_l − f'(z_l) ∘ (a_l − target of a_l)               D_l = z_l − target
 *
 * What is left for layer l is min over [W b] of ‖target_l − W a_{l−1} − b‖² with a proximal term. It is solved exactly, with
 * the Gram matrix of ã_{l−1} = (a_{l−1}, 1) not of this batch alone but averaged over past ones:
 *
 *     A_l ← β A_l + (1 − β) ã_{l−1}ᵀ S ã_{l−1} / B    every k-th batch, S = diag(s) what its samples count for
 *     S_l = (D_lᵀ ã_{l−1} / B + λ[W_l b_l]) (A_l + δ_l I)⁻¹,   δ_l = λ + c · (trace(A_l)/n + λ)
 *     V_l ← μ V_l + S_l
 *     [W_l b_l] ← [W_l b_l] − η (S_l + μ V_l) / (1 − μᵏ⁺¹)   or − η V_l / (1 − μᵏ) without Nesterov's look ahead, in batch k: V_l began with 0
 *
 * A step is no longer than Polyak's rule has it (N. Loizou et al., "Stochastic Polyak Step-size for SGD", AISTATS 2021), here with
 * a layer's share of the batch's loss R, by what its gradient foretells:
 *
 *     S_l ← ν_l S_l,   ν_l = min(1, c_R R / (L t ⟨S_l, ∇_l⟩))     t = η/(1 − μ),  ∇_l = D_lᵀ ã_{l−1} / B + λ[W_l b_l]
 *
 * where R counts from the least that it can be: from 0, and with Poisson's loss eᶻ − y z from y − y log y.
 *
 * That is `factors: 'input'`. Where nobody says so the multipliers have a metric too ('both'), from multipliers v_l for labels that
 * the model draws itself, and a trust region bounds the step that momentum makes of it:
 *
 *     P_l ← β P_l + (1 − β) v_lᵀ v_l / B                with A_l, on the directions in which it is largest
 *     S_l = ν_l (P_l + π_l I)⁻¹ ∇_l (A_l + δ_l I)⁻¹      π_l = c_P trace(P_l)/n + λ/δ_l
 *     ν_l = min(1, √(κ / (L t² ⟨S_l, ∇_l⟩)))            and Polyak's
 *
 * With `scheduleFree` (A. Defazio et al., "The Road Less Scheduled", NeurIPS 2024) there is no momentum, t = η, and η does not
 * fall: the batch is taken between the iterates Z_l and their average X_l, which is the network that comes out,
 *
 *     [W_l b_l] = (1 − μ) Z_l + μ X_l                    where the forward pass and the sweep are
 *     Z_l ← Z_l − η S_l,   X_l ← (1 − c) X_l + c Z_l      c = η² / Σ η²
 *
 * Relatives. With one batch of all samples, β = μ = c = 0 and η = 1 the W step is that of the inversion ADMM; with c → ∞ and
 * η/c held fixed it is a gradient step, as dlADMM takes it; where all W follow all targets, D_l is the back-propagated
 * gradient. Then S_l is the gradient preconditioned on its input side alone: one of the two factors of K-FAC (Martens and
 * Grosse, ICML 2015), and the step of FOOF (Benzing, "Gradient Descent on Neurons and its Link to Approximate Second-Order
 * Optimization", ICML 2022). With both it has K-FAC's direction, whose length is that of natural gradients held to a
 * Kullback–Leibler divergence (Ba, Grosse and Martens, ICLR 2017).
 */

import { DlAdmmError } from '../../core/errors.js';
import { listLayeredUpdates } from '../shared/splittings/layered.js';
import { a, type Sweep, type Update, W, z } from '../shared/sweep.js';

/** The updates of one batch, after its forward pass: targets from the last layer to the first, then the weights. */
export function* minibatchSweep(L: number): Generator<Update> {
  yield z(L);
  for (let l = L - 1; l >= 1; l -= 1) {
    yield a(l);
    yield z(l);
  }
  for (let l = L; l >= 1; l -= 1) yield W(l); //  with b_l
}

/**
 * The updates of a sweep over batches, checked: z_L first, every update at most once, and each after those that it needs:
 * a_l after z_{l+1}, z_l after a_l, W_l after z_l.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function listBatchUpdates(sweep: Sweep, L: number): readonly Update[] {
  const updates = listLayeredUpdates(sweep, L);
  const done = new Set<string>();
  for (const [i, { block, layer }] of updates.entries()) {
    const needs = { W: `z${layer}`, z: layer === L ? '' : `a${layer}`, a: `z${layer + 1}`, b: undefined, u: undefined };
    const needed = needs[block];
    const name = `update ${i} of the sweep`;
    if (needed === undefined) throw refused('a block W, z or a', name, block, layer);
    if (i === 0 && !(block === 'z' && layer === L)) throw refused(`z of layer ${L}`, name, block, layer);
    if (done.has(`${block}${layer}`)) throw refused('each update once', name, block, layer);
    if (needed !== '' && !done.has(needed)) {
      throw refused(`${needed[0]} of layer ${needed.slice(1)} before it`, name, block, layer);
    }
    done.add(`${block}${layer}`);
  }
  return updates;
}

const refused = (wanted: string, name: string, block: string, layer: number): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected ${wanted} for ${name} but received ${block} of layer ${layer}`);
