/**
 * The plain gradient methods. Formulas and defaults are those of `torch.optim`; g is the gradient of the loss of the
 * batch, w the parameters, t = 1, 2, … the step, γ its learning rate, λ the weight decay; everything is entry by entry,
 * and g ← g + λ w comes first.
 *
 *     gd        w ← w − γ g                                  on all samples at once
 *     sgd       m ← μ m + (1 − τ) g,  m = g at t = 1;        w ← w − γ m,  with Nesterov w ← w − γ (g + μ m)
 *     adagrad   s ← s + g²;                                  w ← w − γ / (1 + (t − 1) η) · g / (√s + ε)
 *     adadelta  s ← ρ s + (1 − ρ) g²,  Δ = √(u + ε) / √(s + ε) · g,  u ← ρ u + (1 − ρ) Δ²;   w ← w − γ Δ
 *     adam      m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²;
 *               w ← w − γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
 *
 * The stronger peers decay the weights by themselves, and have the settings of their authors or of AlgoPerf's baselines
 * (mlcommons/algorithmic-efficiency):
 *
 *     nadamw          adam with β₁ m + (1 − β₁) g in place of m, a warm-up and a cosine
 *     schedule-free   y = (1 − β₁) z + β₁ x;  z ← z − γ (g(y) / (√v̂ + ε) + λ y);  x ← (1 − c) x + c z, the model,
 *                     c = γ² tʳ / Σ γ² tʳ
 *     muon            m ← μ m + (1 − μ) g;  W ← W − γ √max(1, rows/columns) · orthogonal factor of μ m + (1 − μ) g, by
 *                     five iterations of Newton and Schulz, for layers between hidden ones; all else by adamw
 *     soap            L ← β₂ L + (1 − β₂) G Gᵀ, R ← β₂ R + (1 − β₂) GᵀG; adamw on U G Vᵀ, U and V their eigenvectors, which
 *                     a step of power iteration improves every k steps; the first batch only makes them
 *     kfac            V ← −α P⁻¹ ∇F A⁻¹ + μ V, w ← w + V: A and P the running second moments of a layer's inputs and of the
 *                     gradients for labels that the model draws, damped by π√λ and √λ/π; α and μ minimise the quadratic
 *                     model of the batch, λ falls or grows with how far it comes true (gradient/kfac.hpp)
 *     isaac           sgd on λ δᵀA (AᵀA/B + λI)⁻¹ in the first layers, A the inputs and δ the gradients of the batch alone
 */
import { onGraphs, onSamples } from '../shared/batches.js';

const GD = { name: 'gd', title: 'gradient descent on all samples at once' } as const;
const SGD = { name: 'sgd', title: 'stochastic gradient descent, with momentum' } as const;
const ADAGRAD = { name: 'adagrad', title: 'AdaGrad', source: 'J. Duchi, E. Hazan, Y. Singer, JMLR 2011' } as const;
const ADADELTA = { name: 'adadelta', title: 'ADADELTA', source: 'M. D. Zeiler, arXiv 1212.5701' } as const;
const ADAM = { name: 'adam', title: 'Adam, or AdamW', source: 'D. P. Kingma, J. Ba, ICLR 2015' } as const;
const NADAMW = {
  name: 'nadamw',
  title: "NAdamW: AdamW with Nesterov's look ahead",
  source: 'T. Dozat, ICLR 2016 workshop; I. Loshchilov, F. Hutter, ICLR 2019',
} as const;
const SCHEDULE_FREE = {
  name: 'schedule-free',
  title: 'Schedule-Free AdamW: the model is an average of the iterates, and no horizon is chosen',
  source: 'A. Defazio et al., NeurIPS 2024, arXiv 2405.15682',
} as const;
const MUON = {
  name: 'muon',
  title: 'Muon: orthogonal steps for the weights between hidden layers, AdamW for all else',
  source: 'K. Jordan et al., 2024; J. Liu et al., arXiv 2502.16982',
} as const;
const SOAP = {
  name: 'soap',
  title: "SOAP: AdamW in the eigenbasis of Shampoo's preconditioner",
  source: 'N. Vyas et al., ICLR 2025, arXiv 2409.11321',
} as const;
const KFAC = {
  name: 'kfac',
  title: 'K-FAC, for large batches: both factors of the curvature; length, momentum and damping by the quadratic model',
  source: 'J. Martens, R. Grosse, ICML 2015; kfac-jax',
} as const;
const ISAAC = {
  name: 'isaac',
  title: 'ISAAC: SGD in the metric of the inputs of the batch alone, in the first layers',
  source: 'F. Petersen et al., ICLR 2023',
} as const;

/** Gradient descent on all samples at once. */
export const gd = onSamples(GD);
/** Stochastic gradient descent. */
export const sgd = onSamples(SGD);
/** AdaGrad. */
export const adagrad = onSamples(ADAGRAD);
/** ADADELTA. */
export const adadelta = onSamples(ADADELTA);
/** Adam and AdamW. */
export const adam = onSamples(ADAM);
/** NAdamW. */
export const nadamw = onSamples(NADAMW);
/** Schedule-Free AdamW. */
export const scheduleFree = onSamples(SCHEDULE_FREE);
/** Muon. */
export const muon = onSamples(MUON);
/** SOAP. */
export const soap = onSamples(SOAP);
/** K-FAC. */
export const kfac = onSamples(KFAC);
/** ISAAC. */
export const isaac = onSamples(ISAAC);

/** Gradient descent on all samples at once on a graph. */
export const gdOnGraph = onGraphs(GD);
/** Stochastic gradient descent on a graph. */
export const sgdOnGraph = onGraphs(SGD);
/** AdaGrad on a graph. */
export const adagradOnGraph = onGraphs(ADAGRAD);
/** ADADELTA on a graph. */
export const adadeltaOnGraph = onGraphs(ADADELTA);
/** Adam and AdamW on a graph. */
export const adamOnGraph = onGraphs(ADAM);
