/** What people who come from other libraries call an option, and what it is here. */
import { didYouMean } from '../../core/checks.js';
import { DlAdmmError, describe } from '../../core/errors.js';

/** An option of ours, or a sentence. */
type Hint = { readonly option: string; readonly more?: string } | { readonly says: string };

const is = (option: string, more?: string): Hint => ({ option, ...(more && { more }) });
const says = (text: string): Hint => ({ says: text });
const all = (hint: Hint, names: string): Readonly<Record<string, Hint>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, hint]));

/** By the name without capitals, underscores and hyphens. */
const HINTS: Readonly<Record<string, Hint>> = {
  ...all(is('validationShare'), 'validationsplit validationfraction testsize valsize evalsize holdout'),
  ...all(is('validation'), 'validationdata evalset evaldata valdata'),
  ...all(
    is('hidden', 'the widths of the hidden layers, [100, 100]'),
    'hiddenlayersizes hiddenlayers hiddensize hiddensizes hiddendim hiddenunits units numlayers nlayers numhidden',
  ),
  ...all(
    says('how many inputs and outputs there are is found in the samples'),
    'inputsize inputdim inputshape outputsize outputdim infeatures outfeatures numclasses nclasses numclass',
  ),
  ...all(
    is('epochs', 'iterations of full-batch solvers'),
    'maxiter nepochs maxepochs numepochs numiterations niter niterations numsteps maxsteps maxfun nboostround',
  ),
  ...all(is('learningRate'), 'lr learningrateinit eta eta0 stepsize'),
  ...all(
    is('learningRate', 'a number or a function of the epoch'),
    'scheduler lrscheduler decay lrdecay gamma powert warmup',
  ),
  ...all(is('solver'), 'optimizer optimiser algorithm method booster boosting boostingtype'),
  ...all(is('loss'), 'criterion objective lossfunction lossfn'),
  ...all(
    is('l2', 'the factor of ½‖W‖²'),
    'weightdecay alpha reglambda regalpha lambda regularization regularisation penalty kernelregularizer l2regularization',
  ),
  c: is('l2', 'the factor of ½‖W‖², an inverse of C'),
  ...all(is('seed'), 'randomstate randomseed rng'),
  ...all(is('threads'), 'njobs nthread nthreads numthreads numworkers workers numcores'),
  ...all(
    is('earlyStopping', '{ patience: 10 }'),
    'patience earlystop earlystoppingrounds earlystopping niternochange stoppingrounds restorebestweights',
  ),
  ...all(is('earlyStopping', '{ patience: 10 } ends a training that gains no more'), 'tol mindelta'),
  ...all(
    is('onIteration', 'which is called with every record'),
    'verbose callbacks callback verbosity logger logevery verboseeval',
  ),
  ...all(
    says('evaluate and the report give all of them; earlyStopping: { metric } says which one is watched'),
    'metrics scoring evalmetric monitor',
  ),
  ...all(is('target'), 'label labelcolumn targetcolumn labelcol y outcome response'),
  ...all(is('ignore'), 'drop exclude dropcolumns ignorecolumns'),
  ...all(is('columns'), 'features featurecolumns inputs usecols'),
  ...all(
    is('categories', 'columns of texts are found by themselves'),
    'categoricalfeature categoricalfeatures catfeatures maxcategories maxonehotsize cattoonehot',
  ),
  ...all(is('standardise'), 'normalize normalise standardize scale scaler scaling'),
  ...all(is('initialisation'), 'init kernelinitializer weightinit initializer initialweights warmstart'),
  ...all(is('batchSize'), 'minibatchsize minibatch batch batchsize'),
  ...all(is('missing', "'impute' or 'error'"), 'imputer usemissing fillna imputation'),
  ...all(says('every epoch visits the samples in another order, drawn by seed'), 'shuffle stepsperepoch'),
  ...all(says('is always on where something is held out: of every class its share'), 'stratify stratified'),
  ...all(
    says('trainings run on the processor, threads says on how many cores'),
    'device gpu devicetype cuda accelerator',
  ),
  ...all(
    says("the moments of Adam: solver: 'adam' takes beta1, beta2 and epsilon"),
    'betas beta1 beta2 epsilon eps amsgrad',
  ),
  ...all(says("belongs to solver: 'sgd', which takes momentum and nesterov"), 'momentum nesterov nesterovsmomentum'),
  ...all(
    says('steps are safe without it (docs/choosing-a-solver.md)'),
    'clipnorm clipvalue gradclip clipgrad gradientclip maxgradnorm',
  ),
  ...all(
    says('samples are trained on without it; l2 and earlyStopping hold a network back'),
    'dropout dropoutrate subsample baggingfraction featurefraction colsamplebytree',
  ),
  ...all(
    says('belongs to trees; dladmm trains neural networks (docs/choosing-a-solver.md)'),
    'nestimators maxdepth numleaves numboostround minchildsamples mindatainleaf maxbin maxleafnodes minsamplesleaf maxfeatures numtrees ntrees',
  ),
  ...all(
    is('classWeights', "'balanced', or weights by the names of classes"),
    'classweight scaleposweight isunbalance autoclassweights',
  ),
  ...all(is('weights', 'a column of them, or one number a sample'), 'sampleweight sampleweights weight weightcolumn'),
};

const SOLVERS: Readonly<Record<string, string>> = {
  ...{ adamw: "'adam' with l2", nadam: "'adam'", rmsprop: "'adam'", radam: "'adam'", adamax: "'adam'" },
  ...{
    lbfgs: "'auto', as there is no quasi-Newton method here",
    newtoncg: "'auto'",
    liblinear: "'auto'",
    saga: "'auto'",
  },
  ...{
    momentum: "'sgd' with momentum",
    gradientdescent: "'gd'",
    admm: "'dladmm'",
    gbdt: "'auto', as there are no trees here",
  },
};

const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase();
const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

/** What helps where an option is none of ours, as the end of a sentence; empty where nobody knows. */
export function optionMeant(name: string, typed = false): string {
  const hint = Object.hasOwn(HINTS, plain(name)) ? HINTS[plain(name)] : undefined;
  if (hint === undefined) return '';
  if ('says' in hint) return `; ${hint.says}`;
  const { option, more } = hint;
  if (!typed) return `; dladmm says ${option}${more ? `: ${more}` : ''}`;
  const flag = option === 'onIteration' ? '--json, which prints every record' : `--${FLAGS[option] ?? kebab(option)}`;
  return `; dladmm says ${flag}`;
}

/** Flags that are not called as their options are. */
const FLAGS: Readonly<Record<string, string>> = { initialisation: 'init', validation: 'validation-share' };

/** What a solver of another library may have been meant for. */
export const solverMeant = (name: string): string =>
  Object.hasOwn(SOLVERS, plain(name)) ? `; did you mean ${SOLVERS[plain(name)]}?` : '';

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
  // A name that is ours but for its spelling comes first.
  const same = known.find((key) => plain(key) === plain(unknown));
  const hint =
    unknown === 'epochs'
      ? counts
      : same
        ? `; did you mean ${same}?`
        : optionMeant(unknown) || didYouMean(unknown, known);
  const text = `Expected only what docs/options.md lists for the options of ${of} but received ${unknown}: ${describe(given)}${hint}`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}
