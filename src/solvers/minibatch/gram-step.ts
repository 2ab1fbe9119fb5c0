/** How the W subproblems of mini-batch dlADMM are solved (minibatch/algorithm.ts has the formulas). */
import type { Loss, Network } from '../../network/network.js';
import { flag, number, type OptionsOf, type Schema, whole, word } from '../../network/schema.js';

const MOST = 2 ** 31 - 1;

export const GRAM_STEP = {
  gram: word(['low-rank', 'full'], {
    default: 'low-rank',
    says: 'How (A_l + δ_l I)⁻¹ is had: on the directions in which A_l is largest, nearly free, or by Cholesky, cubic in the width.',
  }),
  rank: whole(1, { default: 16, says: "Directions that 'low-rank' keeps, all where the input has fewer." }, MOST),
  gramMemory: number('fraction', {
    default: 0.95,
    symbol: 'β',
    says: 'Memory of the Gram matrices: A_l ← β A_l + (1 − β) ãᵀã/B.',
  }),
  gramEvery: whole(
    1,
    {
      default: 10,
      symbol: 'k',
      says: 'A_l takes in every k-th batch, the first ones sooner: the m-th at most m − 1 after the one before.',
    },
    MOST,
  ),
  relativeDamping: number(
    { min: 0 },
    { default: 4, symbol: 'c', says: 'Damping in mean eigenvalues of A_l: δ_l = λ + c (trace(A_l)/n + λ).' },
  ),
  factors: word(['input', 'both'], {
    otherwise: "'both'; with regularise, monotone or equal 'input'",
    says: "What a W step is measured by: A_l of its inputs, or P_l of multipliers too, for labels that the model draws (K-FAC's second factor).",
  }),
  outputDamping: number('positive', {
    default: 1,
    symbol: 'c_P',
    says: "Of 'both': damping in mean eigenvalues of P_l: π_l = c_P trace(P_l)/n + λ/δ_l.",
  }),
  trustRegion: number('positive', {
    derive: ({ network }) => defaultTrustRegion(network),
    otherwise: '0.05, and √n_L times that for a loss that adds up n_L outputs',
    symbol: 'κ',
    says: "Of 'both': a W step is at most so long that (η/(1 − μ))² ⟨S_l, ∇_l⟩ = κ/L.",
  }),
  polyak: number(
    { min: 0 },
    {
      default: 4,
      symbol: 'c_R',
      says: "By its gradient no W step takes the batch's loss R down by more than c_R/L of it (Polyak's rule): t ⟨S_l, ∇_l⟩ ≤ c_R R/L, R over the least that it can be. 0: no bound.",
    },
  ),
  momentum: number('fraction', { default: 0.9, symbol: 'μ', says: 'Memory of the momentum.' }),
  nesterov: flag({ default: true, says: 'Look ahead along the momentum: − η (S_l + μV_l) in place of − ηV_l.' }),
  biasCorrection: flag({
    default: true,
    says: 'V_l, which begins with 0, counts from the first batch on for as many as it will have seen, as in Adam: η/(1 − μᵏ⁺¹) in place of η, k the batch.',
  }),
  scheduleFree: flag({
    default: false,
    says: 'No momentum, and no end to fall to: batches are taken at (1 − μ) Z_l + μ X_l, and the network is X_l, the average of the iterates Z_l. Not with regularise, monotone or equal.',
  }),
  l2: number({ min: 0 }, { default: 0, symbol: 'λ', says: 'Weight decay: ½λ‖[W_l b_l]‖².' }),
} as const satisfies Schema;

export type GramStepOptions = OptionsOf<typeof GRAM_STEP>;

/**
 * κ where none is given: 0.05, about twice the divergence between one answer of the model before a step and after it. A loss that adds
 * up n_L outputs has so many answers a sample, and what chance adds to their loss grows with √n_L: so does what a step may.
 */
export function defaultTrustRegion({ loss, layers }: Pick<Network, 'layers'> & { readonly loss?: Loss }): number {
  const answers = (loss ?? 'softmax-cross-entropy') === 'softmax-cross-entropy' ? 1 : (layers.at(-1) ?? 1);
  return 0.05 * Math.sqrt(answers);
}

/** Samples a batch where nobody says: a hundredth of all, as a power of 2 from 64 to 512, and never more than there are. */
export const defaultBatchSize = (samples: number): number =>
  Math.min(samples, 2 ** Math.min(9, Math.max(6, Math.floor(Math.log2(Math.max(1, samples / 100))))));

/** By what a W step is measured where nobody says: steps that are split for Ω_l are in the metric of the inputs. */
export const factorsOf = ({ factors, regularisers }: Metric): 'input' | 'both' =>
  factors ?? (regularisers === undefined ? 'both' : 'input');

interface Metric {
  readonly factors?: GramStepOptions['factors'] | undefined;
  readonly regularisers?: unknown;
}

/**
 * η where none is given: 0.2 over the largest curvature of R in z_L, which is ½ for softmax cross-entropy and 1 for the
 * squared errors (the hinge loss, which has none, is taken as the former). With both factors the curvature is in the second
 * one, and the trust region tells how far a step goes until η has fallen. Schedule-free η is t, η/(1 − μ) of the others, and as an
 * average takes longer steps three times that with the first factor alone.
 */
export function defaultRate(
  loss: Loss,
  { factors = 'both', scheduleFree = false, momentum = 0.9 }: Partial<GramStepOptions> = {},
): number {
  if (factors === 'both') return scheduleFree ? 0.05 / (1 - momentum) : 0.05;
  const rate = ['squared-error', 'one-hot-squared-error', 'huber'].includes(loss) ? 0.2 : 0.4;
  return scheduleFree ? (3 * rate) / (1 - momentum) : rate;
}
