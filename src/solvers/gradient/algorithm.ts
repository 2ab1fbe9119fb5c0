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
 */
import { onGraphs, onSamples } from '../shared/batches.js';

const GD = { name: 'gd', title: 'gradient descent on all samples at once' } as const;
const SGD = { name: 'sgd', title: 'stochastic gradient descent, with momentum' } as const;
const ADAGRAD = { name: 'adagrad', title: 'AdaGrad', source: 'J. Duchi, E. Hazan, Y. Singer, JMLR 2011' } as const;
const ADADELTA = { name: 'adadelta', title: 'ADADELTA', source: 'M. D. Zeiler, arXiv 1212.5701' } as const;
const ADAM = { name: 'adam', title: 'Adam, or AdamW', source: 'D. P. Kingma, J. Ba, ICLR 2015' } as const;

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
