/** How a model is made smaller. */
import { expected } from '../core/errors.js';
import { GRID_NAMES } from '../model/quantisation.js';
import {
  callbackOption,
  number,
  type OptionsOf,
  option,
  type Schema,
  seedOption,
  signalOption,
  type ValueType,
  whole,
  word,
} from '../network/schema.js';
import { adam } from '../solvers/gradient/algorithm.js';

export const STRUCTURES = ['weights', 'neurons', '1x4'] as const;
/** What goes as a whole. */
export type Structure = (typeof STRUCTURES)[number];

const share: ValueType<number> = {
  type: 'number in (0, 1)',
  typed: { as: 'number' },
  check: (value, name) => {
    if (typeof value !== 'number') throw expected('a number', name, value);
    if (value > 0 && value < 1) return value;
    throw expected('a number above 0 and below 1', name, value, 'ERR_DLADMM_RANGE');
  },
};

/** How a model is made smaller. */
export const COMPRESS = {
  sparsity: option(share, {
    otherwise: 'as parameters says',
    symbol: 's',
    says: 'The share of the weights that are to be 0, or gone: .95 leaves one in twenty.',
    help: 'of .95 one weight in twenty stays',
  }),
  parameters: whole(1, {
    otherwise: 'as sparsity says',
    says: 'Weights and biases that are to stay at most, in place of sparsity.',
  }),
  structure: word(STRUCTURES, {
    default: 'weights',
    says: "What goes as a whole: single weights, blocks of four weights beside each other ('1x4'), or neurons, which leaves a smaller dense network.",
  }),
  quantise: word(GRID_NAMES, {
    otherwise: 'none',
    says: 'What the weights that stay are to be: whole numbers of 8 or 4 bits times a scale a neuron, or powers of two (docs/compress.md).',
  }),
  activations: word(['int8', 'float'], {
    default: 'int8',
    says: 'Of a quantised model: whether what comes into each layer is rounded too, so that predictions are made of whole numbers, or stays as it is.',
  }),
  rounds: whole(
    1,
    {
      default: 5,
      says: 'Rounds from all weights to those that stay, by the same factor each, then as many until all are quantised.',
    },
    100,
  ),
  steps: whole(
    0,
    { default: 6, says: 'Iterations of ADMM in a round; 0 is pruning by magnitude, and rounding to the nearest.' },
    1e4,
  ),
  stepEpochs: whole(
    1,
    { otherwise: '1; of fewer than 50,000 rows more', says: 'Epochs of the W step of an iteration.' },
    1e6,
  ),
  penalty: number('positive', { default: 1e-2, symbol: 'ρ', says: 'Penalty of W = V.' }),
  retrain: whole(
    1,
    {
      otherwise: '20; of fewer than 12,500 rows more',
      says: 'Epochs at most of the training of what stays, at the end; a third of them after the other rounds.',
    },
    1e6,
  ),
  validationShare: number('fraction', {
    otherwise: '0.1; of fewer than 2,000 rows 0.2',
    says: 'The share of rows to hold out, where data has no validation set: they say which epoch is kept, and judge where there is no test set.',
  }),
  seed: seedOption('Of what is held out, and of the orders of samples.'),
  signal: signalOption('Ends the work, which rejects with ERR_DLADMM_ABORTED.'),
  onStep: callbackOption<(step: never) => void>(
    'function of a record',
    'Called with the record of every iteration and retraining, and waited for; what it throws ends the work.',
  ),
} as const satisfies Schema;

const { learningRate, batchSize } = adam.options;
/** What of the trainings the command line can say. */
export const PACE = {
  learningRate: {
    ...learningRate,
    otherwise: '0.001; where weights are quantised to 8 bits 0.00003, to 4 bits 0.0001',
  },
  batchSize: { ...batchSize, otherwise: '128; of fewer than 2,000 rows 32' },
} as const satisfies Schema;

/** Epochs where nobody says: few rows make few steps in each. */
export function epochsFor(samples: number, { stepEpochs, retrain }: Pick<CompressOptions, 'stepEpochs' | 'retrain'>) {
  const more = Math.min(50_000 / samples, 20);
  return { stepEpochs: stepEpochs ?? Math.ceil(more), retrain: retrain ?? Math.ceil(20 * Math.max(1, more / 4)) };
}

/** What happened in an iteration of ADMM, or in the training of what stays, or is not quantised yet, after a round. */
export interface CompressionStep {
  readonly kind: 'admm' | 'retraining';
  /** From 1; those that quantise are counted anew. */
  readonly round: number;
  /** Iterations of ADMM in this round so far. */
  readonly step: number;
  /** Weights that stay. */
  readonly weights: number;
  /** ‖W − V‖/‖W‖: so far the weights are from what they are to be. */
  readonly distance: number;
  /** What the last epoch learnt by. */
  readonly loss: number;
  /** On what is held out: after an iteration of the weights as they are, before any of them goes. */
  readonly validation?: { readonly loss: number; readonly accuracy?: number | undefined };
  /** Since the beginning. */
  readonly seconds: number;
}

/** How a model is made smaller: `sparsity`, `parameters` or `quantise` must be given. */
export type CompressOptions = Omit<OptionsOf<typeof COMPRESS>, 'onStep'> & {
  /** Called with the record of every iteration and retraining, and waited for; what it throws ends the work. */
  readonly onStep?: (step: CompressionStep) => void;
};

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT unless there is something to do, and it is said once */
export function checkOne({ sparsity, parameters, structure, quantise, activations }: CompressOptions): void {
  const said = [sparsity, parameters].filter((each) => each !== undefined).length;
  if (said === 2 || (said === 0 && quantise === undefined)) {
    const what = 'either sparsity or parameters, which say the same, or quantise,';
    throw expected(what, 'rules', said === 0 ? 'neither' : 'both');
  }
  if (said === 0 && structure !== undefined) {
    throw expected('none without sparsity or parameters', 'structure', structure);
  }
  if (quantise === undefined && activations !== undefined) {
    throw expected('none without quantise', 'activations', activations);
  }
}
