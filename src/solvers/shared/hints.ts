/** What people who come from other libraries call an option, and what it is here. */
import { didYouMean } from '../../core/checks.js';
import { DlAdmmError, describe } from '../../core/errors.js';

const TREES = 'belongs to trees; dladmm trains neural networks (docs/choosing-a-solver.md)';

/** By the name without capitals and underscores. */
const HINTS: Readonly<Record<string, string>> = {
  validationsplit: 'dladmm says validationShare',
  validationfraction: 'dladmm says validationShare',
  testsize: 'dladmm says validationShare',
  hiddenlayersizes: 'dladmm says hidden',
  hiddenlayers: 'dladmm says hidden',
  units: 'dladmm says hidden',
  maxiter: 'dladmm says epochs, or iterations for full-batch solvers',
  nepochs: 'dladmm says epochs',
  lr: 'dladmm says learningRate',
  learningrateinit: 'dladmm says learningRate',
  optimizer: 'dladmm says solver',
  optimiser: 'dladmm says solver',
  weightdecay: 'dladmm says l2',
  alpha: 'dladmm says l2',
  randomstate: 'dladmm says seed',
  njobs: 'dladmm says threads',
  patience: 'dladmm says earlyStopping: { patience }',
  verbose: 'onIteration is called with every record',
  callbacks: 'onIteration is called with every record',
  label: 'dladmm says target',
  labelcolumn: 'dladmm says target',
  classweight: 'dladmm says classWeights',
  sampleweight: 'dladmm says weights, the name of a column or one number a sample',
  scaleposweight: "dladmm says classWeights, for example 'balanced'",
  nestimators: TREES,
  maxdepth: TREES,
  numleaves: TREES,
  numboostround: TREES,
  dropout: 'samples are trained on without it; l2 and earlyStopping hold a network back',
};

/**
 * As checkKeys, of options: what is not known is told by what it may have been meant for, and not by a list of all.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkOptionKeys(options: object, known: readonly string[], of: string): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const given = (options as Readonly<Record<string, unknown>>)[unknown];
  const counts = `; ${of} counts iterations: iterations: ${String(given)}, on the command line --iterations ${String(given)}`;
  const meant = HINTS[unknown.replaceAll('_', '').toLowerCase()];
  const hint = unknown === 'epochs' ? counts : meant === undefined ? didYouMean(unknown, known) : `; ${meant}`;
  throw new DlAdmmError(
    'ERR_DLADMM_ARGUMENT',
    `Expected only what docs/options.md lists for the options of ${of} but received ${unknown}: ${describe(given)}${hint}`,
  );
}
