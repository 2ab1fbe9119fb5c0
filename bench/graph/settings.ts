/** Which graphs, which methods, and with which settings. */
import { combinations } from '../harness/study.js';
import { inWords } from '../harness/table.js';

export const GRAPHS = ['cora', 'citeseer', 'coauthor-cs', 'coauthor-physics', 'dblp'] as const;
export type GraphName = (typeof GRAPHS)[number];

export const METHODS = ['dladmm', 'adam', 'badm', 'sisa'] as const;
export type Method = (typeof METHODS)[number];

/** Of which graphs the file itself says what to train and test on. */
export const STANDARD_SPLIT: readonly GraphName[] = ['cora', 'citeseer'];

/** What a method trains with; `hidden` is the width of the hidden layer. */
export interface Setting {
  readonly hidden: number;
  /** Options of `fit` but for the layers, the seed and the threads. */
  readonly options: Readonly<Record<string, string | number | readonly number[] | Readonly<Record<string, unknown>>>>;
}

/** Kipf and Welling's: 16 hidden units, dropout 0.5, weight decay 5e-4 on the first layer, 200 epochs. */
const control = (options: Setting['options']): Setting => ({ hidden: 16, options: { epochs: 200, ...options } });

/** Where there are several, each graph takes that of the best mean validation accuracy; those of badm and sisa did best on Cora's. */
export const SETTINGS: Readonly<Record<Method, readonly Setting[]>> = {
  dladmm: combinations({ nu: [1, 10], l2: [0.1, [0.01, 0.3], [0.01, 1], [0.05, 0.3]] }).map((options) => ({
    hidden: 128,
    options,
  })),
  adam: [control({ solver: 'adam', learningRate: 0.01 })],
  badm: [control({ solver: 'badm', sigma: 0.05, rho: 2 })],
  sisa: [control({ solver: 'sisa', sigma: 0.1, rho: 50, subBatches: 4 })],
};

/** The methods of a graph where none are named: BADM's graph task is on the graphs of the standard splits. */
export const methodsFor = (graph: GraphName): readonly Method[] =>
  STANDARD_SPLIT.includes(graph) ? METHODS : ['dladmm', 'adam'];

export const settingText = ({ hidden, options }: Setting): string =>
  [`${hidden} hidden`, inWords(options)].filter((part) => part !== '').join(', ');
