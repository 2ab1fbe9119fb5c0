/**
 * What stands where nobody names a solver: which system, which network and which settings for which samples. The whole rule is
 * here; `npm run bench:auto` holds it against every solver, and docs/choosing-a-solver.md tells how it was chosen.
 */
import { classifies, type Loss } from '../network/network.js';

export interface Facts {
  /** Training samples, those held out left out. */
  readonly samples: number;
  readonly inputs: number;
  /** Columns of a table, which may be several inputs each; else the inputs. */
  readonly features: number;
  readonly outputs: number;
  readonly loss: Loss;
}

export interface Choice {
  readonly solver: 'minibatch-admm' | 'adam';
  /** Why, as the end of a sentence. */
  readonly because: string;
  readonly hidden: readonly number[];
  readonly epochs: number;
  /** Epochs without gain on what is held out. */
  readonly patience: number;
  /** Weight decay, which tells most where bins of numbers make many inputs. */
  readonly l2: number;
  /** Whether a linear model is tried first, and kept where the network is no better on what is held out. */
  readonly linearToo: boolean;
}

/** Visits to samples in all. */
const VISITS = 450_000;
const EPOCHS = { least: 4, most: 200 } as const;
const L2 = 1e-3;
/** Below so many samples a network of one small layer is all that they bear. */
const FEW = 1000;
const MANY = 10_000;
/** So many features are pixels: they bear wider layers. */
const WIDE = 200;
/** The Gram matrices of mini-batch dlADMM are inputs × inputs. */
const MOST_GRAM = 4096;
/** The losses whose curvature mini-batch dlADMM's default step is made for. */
const CURVED: readonly Loss[] = ['softmax-cross-entropy', 'squared-error', 'one-hot-squared-error'];

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Hidden widths: 32 below 1,000 samples, 64-64 below 10,000, then 100-100, or 256-128 for 200 features and more. */
export function hiddenFor({ samples, features }: Pick<Facts, 'samples' | 'features'>): readonly number[] {
  if (samples < FEW) return [32];
  if (samples < MANY) return [64, 64];
  return features < WIDE ? [100, 100] : [256, 128];
}

export function automatic(facts: Facts): Choice {
  const { samples, inputs, loss } = facts;
  const epochs = clamp(VISITS / samples, EPOCHS.least, EPOCHS.most);
  const common = {
    hidden: hiddenFor(facts),
    epochs,
    patience: Math.max(3, Math.ceil(epochs / 2)),
    l2: L2,
    linearToo: true,
  };
  if (inputs > MOST_GRAM) {
    const because = `${inputs} inputs make Gram matrices too large for mini-batch dlADMM`;
    return { ...common, solver: 'adam', because };
  }
  if (!CURVED.includes(loss)) {
    return { ...common, solver: 'adam', because: `mini-batch dlADMM has no step of its own for ${loss}` };
  }
  const task = classifies(loss) ? 'classes' : 'values';
  return {
    ...common,
    solver: 'minibatch-admm',
    because: `mini-batch dlADMM is as good as any here for ${task}, in less time`,
  };
}

/** The share held out where nobody says: a tenth, a fifth of fewer than 2,000 samples, nothing of fewer than 20. */
export const heldOutShare = (samples: number): number => (samples < 20 ? 0 : samples < 2000 ? 0.2 : 0.1);
