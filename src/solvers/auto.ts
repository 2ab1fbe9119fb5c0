/**
 * What stands where nobody names a solver: which system, which network and which settings for which samples. The whole rule is
 * here; `npm run bench:auto` holds it against every solver, and docs/choosing-a-solver.md tells how it was chosen.
 */
import { classifies, type Loss } from '../network/network.js';

/** What the rule looks at. */
export interface Facts {
  /** Training samples, those held out left out. */
  readonly samples: number;
  readonly inputs: number;
  /** Columns of a table, which may be several inputs each; else the inputs. */
  readonly features: number;
  readonly outputs: number;
  readonly loss: Loss;
  readonly sparse?: boolean;
}

/** How long and how a network is trained, or the linear model beside it. */
export interface Pace {
  readonly epochs: number;
  /** Weight decay, which tells most where bins of numbers make many inputs. */
  readonly l2: number;
  readonly learningRate?: number;
  /** Where the solver's own metric is not meant. */
  readonly factors?: 'input';
}

/** What the rule says. */
export interface Choice extends Pace {
  readonly solver: 'minibatch-admm' | 'adam';
  /** Why, as the end of a sentence. */
  readonly because: string;
  readonly hidden: readonly number[];
  /** Where the solver's own is not meant. */
  readonly batchSize?: number;
  /** Of a linear model that is tried first, and kept where the network is no better on what is held out. */
  readonly linear: Pace;
}

/** Below so many samples a network of one small layer is all that they bear. */
const FEW = 1000;
const MANY = 10_000;
/** So many features are pixels: they bear wider layers, and more epochs. */
const WIDE = 200;
/** Visits to samples in all, and the epochs that they may make. */
const VISITS = { table: 150_000, pixels: 350_000 } as const;
const EPOCHS = { least: 3, most: 30, few: 20 } as const;
/** Of the linear model: weight decay, epochs, and the numbers that these may go through. */
const LINEAR = { l2: 1e-4, least: 2, most: 15, numbers: 3e7 } as const;
/** Fewer than FEW samples are visited in batches of so many, so that there are some steps: classes from `enough` samples on in larger ones. */
const BATCH = { enough: 100, small: 16, large: 32 } as const;
/** Adam's step where few samples make few of them. */
const ADAM_FEW = 0.01;
/** The Gram matrices of mini-batch dlADMM are inputs × inputs. */
const MOST_GRAM = 4096;
/** What mini-batch dlADMM does: weight decay, more of it for squared errors, and a step that few epochs call for. */
const INPUT = { factors: 'input' } as const;
const PACE = { ...INPUT, learningRate: 0.8, l2: 1e-3 } as const;
const SQUARES = { ...PACE, l2: 3e-3 } as const;
const PACES: Readonly<Partial<Record<Loss, Omit<Pace, 'epochs'>>>> = {
  'softmax-cross-entropy': PACE,
  'sigmoid-cross-entropy': PACE,
  'squared-error': SQUARES,
  'one-hot-squared-error': SQUARES,
  huber: PACE,
  absolute: PACE,
  quantile: PACE,
  poisson: PACE,
};

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Hidden widths: 32 below 1,000 samples, 64-64 below 10,000, then 100-100, or 256-128 for 200 features and more. */
export function hiddenFor({ samples, features }: Pick<Facts, 'samples' | 'features'>): readonly number[] {
  if (samples < FEW) return [32];
  if (samples < MANY) return [64, 64];
  return features < WIDE ? [100, 100] : [256, 128];
}

/** Fewer samples bear less: so much weight decay in all, but no more than the most. */
const DECAY = { all: 3, least: 1e-3, most: 0.01 } as const;
const decayFor = (samples: number, least: number): number => Math.min(DECAY.most, Math.max(least, DECAY.all / samples));

/** The rule. */
export function automatic(facts: Facts): Choice {
  const { samples, inputs, features, loss, sparse } = facts;
  const visits = features < WIDE ? VISITS.table : VISITS.pixels;
  const epochs = clamp(visits / samples, EPOCHS.least, samples < FEW ? EPOCHS.few : EPOCHS.most);
  const linear = {
    l2: decayFor(samples, LINEAR.l2),
    epochs: clamp(LINEAR.numbers / samples / inputs, LINEAR.least, LINEAR.most),
  };
  // Weights are inputs × width, and what is kept of them several times that.
  const hidden = sparse && inputs > MOST_GRAM ? [32] : hiddenFor(facts);
  const common = { hidden, epochs, linear };
  const pace = PACES[loss];
  const task = classifies(loss) ? 'classes' : 'values';
  const few = samples < FEW && { batchSize: task === 'classes' && samples >= BATCH.enough ? BATCH.large : BATCH.small };
  if (pace && inputs <= MOST_GRAM && !sparse) {
    const answers = loss === 'sigmoid-cross-entropy' ? 'labels' : task;
    const because = `mini-batch dlADMM is as good as any here for ${answers}, in less time`;
    const own = { ...common, ...pace, ...few, linear: { ...INPUT, ...linear } };
    return { ...own, l2: decayFor(samples, pace.l2), solver: 'minibatch-admm', because };
  }
  const because = sparse
    ? 'the features are sparse'
    : pace
      ? `${inputs} inputs make Gram matrices too large for mini-batch dlADMM`
      : `mini-batch dlADMM has no step of its own for ${loss}`;
  // Its step is shorter, and of few samples there are few.
  const step = few && { ...few, learningRate: ADAM_FEW };
  const own = {
    ...common,
    ...step,
    linear: { ...linear, ...(few && { epochs: 3 * linear.epochs, learningRate: ADAM_FEW }) },
  };
  return { ...own, epochs: 3 * epochs, l2: decayFor(samples, DECAY.least), solver: 'adam', because };
}

/** The share held out where nobody says: a tenth, a fifth of fewer than 2,000 samples, nothing of fewer than 20. */
export const heldOutShare = (samples: number): number => (samples < 20 ? 0 : samples < 2000 ? 0.2 : 0.1);
