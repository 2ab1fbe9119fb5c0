/** What people who come from other libraries call an option, and what it is here. */
import { didYouMean } from '../../core/checks.js';
import { DlAdmmError, describe, shortened } from '../../core/errors.js';

/** An option of ours, or a sentence; `typed` is what helps on the command line, where that is something else. */
type Hint = ({ readonly option: string; readonly more?: string } | { readonly says: string }) & {
  readonly typed?: string;
};

const is = (option: string, more?: string): Hint => ({ option, ...(more && { more }) });
const says = (text: string, typed?: string): Hint => ({ says: text, ...(typed && { typed }) });
const all = (hint: Hint, names: string): Readonly<Record<string, Hint>> =>
  Object.fromEntries(names.split(' ').map((name) => [name, hint]));

/** By the name without capitals, underscores and hyphens. */
const HINTS: Readonly<Record<string, Hint>> = {
  ...all(is('validationShare'), 'validationsplit validationfraction valsize evalsize holdout validpct trainsize'),
  ...all(is('validation'), 'validationdata evalset evaldata valdata validsets validset devset'),
  ...all(is('test'), 'testdata testset'),
  ...all(
    says(
      'validationShare holds samples out of the training; test takes samples of your own',
      '--test-share, --test-data',
    ),
    'testsize testsplit testfraction',
  ),
  ...all(
    says('model.save(path) writes the model', '--save'),
    'save savepath savedir out output outputfile outputdir model modelpath modelfile filename',
  ),
  ...all(
    is('hidden', 'the widths of the hidden layers, [100, 100]'),
    'hiddenlayersizes hiddenlayers hiddensize hiddensizes hiddendim hiddenunits units numlayers nlayers numhidden neurons architecture hiddenwidths',
  ),
  ...all(
    says('how many inputs and outputs there are is found in the samples'),
    'inputsize inputdim inputshape outputsize outputdim infeatures outfeatures numclasses nclasses numclass nfeatures',
  ),
  ...all(
    is('epochs', 'iterations of full-batch solvers'),
    'maxiter nepochs nepoch maxepochs numepochs numiterations niter niterations numsteps maxsteps maxfun nboostround rounds steps',
  ),
  ...all(is('learningRate'), 'lr learningrateinit eta eta0 stepsize lrmax initiallearningrate'),
  ...all(
    is('learningRate', 'a number or a function of the epoch'),
    'scheduler lrscheduler decay lrdecay gamma powert lrlambda learningratefinetuning',
  ),
  ...all(is('warmUp', 'a share of all steps'), 'warmup warmupratio warmupsteps warmupepochs numwarmupsteps'),
  ...all(is('solver'), 'optimizer optimiser algorithm method booster boosting boostingtype optimizerclass optfunc'),
  ...all(is('loss'), 'criterion objective lossfunction lossfn lossfunc application'),
  ...all(
    is('l2', 'the factor of ½‖W‖²'),
    'weightdecay wd alpha reglambda lambda regularization regularisation penalty kernelregularizer l2regularization l2leafreg lambdal2 biasregularizer activityregularizer',
  ),
  ...all(
    is('l2', 'the factor of ½‖W‖²; dladmm takes regularise: { W: { l1: 1e-4 } } too (docs/regularisers.md)'),
    'lambdal1 l1 l1ratio regalpha grouplasso elasticnet sparsity',
  ),
  ...all(
    says('regularise: { W: { min: 0 } } bounds weights (docs/regularisers.md)', '--regularise min=0'),
    'kernelconstraint maxnorm nonneg weightconstraint',
  ),
  c: is('l2', 'the factor of ½‖W‖², an inverse of C'),
  ...all(is('seed'), 'randomstate randomseed rng generator'),
  ...all(
    is('threads'),
    'njobs nthread nthreads numthreads numworkers workers numcores threadcount usemultiprocessing parallelism',
  ),
  ...all(
    is('earlyStopping', '{ patience: 10 }'),
    'patience earlystop earlystoppingrounds earlystopping niternochange stoppingrounds restorebestweights odwait odtype usebestmodel',
  ),
  ...all(
    is('earlyStopping', '{ patience: 10 } ends a training that gains no more'),
    'tol mindelta errorthresh errorthreshold',
  ),
  ...all(
    is('onIteration', 'which is called with every record'),
    'verbose callbacks callback cbs verbosity logger logevery log logperiod verboseeval onepochend onbatchend silent metricperiod history onepoch onprogress progress quiet debug',
  ),
  ...all(
    says(
      'evaluate and the report give all of them; earlyStopping: { metric } says which one is watched',
      'evaluate gives all of them; --metric says which one is watched',
    ),
    'metrics metric scoring score evalmetric monitor weightedmetrics custommetric',
  ),
  ...all(
    is('target'),
    'label labelcolumn targetcolumn labelcol y ytrain ynames outcome response dependent classcolumn',
  ),
  ...all(
    is('ignore'),
    'drop exclude dropcolumns ignorecolumns ignoredfeatures ignorecolumn id idcolumn indexcol indexcolumn',
  ),
  ...all(is('columns'), 'features featurecolumns featurenames inputs usecols contnames xtrain'),
  ...all(
    is('categories', 'columns of texts are found by themselves'),
    'categoricalfeature categoricalfeatures categoricalcolumns catfeatures catnames maxcategories maxonehotsize onehotmaxsize cattoonehot handleunknown encoder encoding onehot textfeatures',
  ),
  ...all(is('standardise'), 'normalize normalise standardize scale scaler scaling normalization batchnorm procs'),
  ...all(
    is('initialisation'),
    'init kernelinitializer biasinitializer weightinit initializer initialweights warmstart initscore initmodel',
  ),
  ...all(is('batchSize'), 'minibatchsize minibatch batch batchsize bs'),
  ...all(
    is('missing', "'impute' or 'error'"),
    'imputer usemissing fillna imputation nanmode zeroasmissing addindicator impute dropna',
  ),
  ...all(
    says('empty cells and ?, NA, N/A, NaN, null in any case are missing by themselves (docs/data.md)'),
    'navalues missingvalues nullvalues',
  ),
  ...all(
    says('the hidden layers find how columns act together'),
    'interactions interaction interactiononly interactionconstraints polynomialfeatures',
  ),
  ...all(is('bins'), 'maxbin maxbins bordercount nbins'),
  distributed: says(
    'dladmm, inversion-admm, minibatch-admm and methods by gradients train on many, named as solver (docs/distributed.md)',
  ),
  ...all(is('delta', "of loss: 'huber'"), 'huberslope huberdelta'),
  ...all(is('quantile', "of loss: 'quantile'"), 'quantilealpha tau'),
  ...all(says('every epoch visits the samples in another order, drawn by seed'), 'shuffle stepsperepoch sampler'),
  ...all(says('is always on where something is held out: of every class its share'), 'stratify stratified'),
  ...all(
    says('trainings run on the processor, threads says on how many cores'),
    'device devices gpu gpuid gpus devicetype tasktype treemethod cuda accelerator jitcompile backend',
  ),
  ...all(
    says("the moments of Adam: solver: 'adam' takes beta1, beta2 and epsilon"),
    'betas beta1 beta2 epsilon eps amsgrad',
  ),
  ...all(
    says("belongs to solver: 'sgd', which takes momentum and nesterov"),
    'momentum nesterov nesterovsmomentum dampening',
  ),
  ...all(
    says('steps are safe without it (docs/choosing-a-solver.md)'),
    'clipnorm clipvalue globalclipnorm gradclip clipgrad gradientclip gradientclipval maxgradnorm accumulategradbatches',
  ),
  ...all(
    says('samples are trained on without it; l2 and earlyStopping hold a network back'),
    'dropout dropoutrate subsample bagging baggingfraction baggingfreq featurefraction colsamplebytree colsamplebylevel bootstrap',
  ),
  ...all(
    says('belongs to trees; dladmm trains neural networks (docs/choosing-a-solver.md)'),
    'nestimators maxdepth depth numleaves maxleaves numboostround minchildsamples minchildweight minsamplessplit minsamplesleaf minsumhessianinleaf mindatainleaf maxleafnodes maxfeatures mingaintosplit numtrees ntrees growpolicy maxdeltastep ccpalpha importancetype basescore',
  ),
  ...all(
    says('belongs to other models; dladmm trains neural networks (docs/choosing-a-solver.md)'),
    'kernel degree nneighbors fitintercept interceptscaling multiclass dual shrinking probability nclusters ncomponents',
  ),
  ...all(
    says(
      'crossValidate and search part the samples (docs/choosing-settings.md)',
      'dladmm cross-validate and dladmm search part the samples',
    ),
    'cv folds kfold nsplits paramgrid paramdistributions gridsearch ntrials groups',
  ),
  ...all(
    says('a network has biases, and linear outputs that the loss makes probabilities of'),
    'bias usebias outputactivation finalactivation fromlogits',
  ),
  ...all(
    is('classWeights', "'balanced', or weights by the names of classes"),
    'classweight scaleposweight posweight isunbalance autoclassweights lossweights',
  ),
  ...all(is('weights', 'a column of them, or one number a sample'), 'sampleweight sampleweights weight weightcolumn'),
  ...all(
    is('task', "'classification', 'multi-label' or 'regression'"),
    'type tasks problemtype problem mode regression classification multilabel binary',
  ),
  ...all(is('delimiter', "of a CSV file: ';'"), 'sep separator delim'),
  ...all(
    is('buckets', 'into which columns of many texts are hashed; hash: 2 ** 18 hashes their words'),
    'hashing hasher nbuckets hashbuckets',
  ),
  ...all(
    is('hash', '2 ** 18, which hashes the words of texts and weighs them by TF-IDF'),
    'featurehasher hashingvectorizer tfidf tfidfvectorizer countvectorizer tokenizer vectorizer',
  ),
  ...all(
    says('dates are found by themselves, and become time, year, week and day (docs/data.md)'),
    'dates datecolumns parsedates datecols dateformat',
  ),
  ...all(
    says(
      "classWeights: 'balanced' lets rare classes count more",
      '--class-weights balanced lets rare classes count more',
    ),
    'balanced oversample oversampling undersample smote balanceclasses',
  ),
  ...all(
    says("the second of the classes is the one that areas and thresholds are of: classes: ['no', 'yes'] orders them"),
    'positive positiveclass poslabel positivelabel',
  ),
  ...all(
    says(
      'signal: AbortSignal.timeout(60_000) ends a training and keeps its model; search takes seconds',
      'dladmm train takes --time-limit, dladmm search --seconds',
    ),
    'timeout timelimit maxtime timebudget seconds maxruntime traintime',
  ),
  threshold: says('model.tuneThreshold(samples) chooses one, by F1, by cost or by recall at a precision'),
  ...all(
    is('checkpoint', '{ path, every }'),
    'checkpointdir checkpointpath enablecheckpointing savebestonly snapshotfile modelcheckpoint',
  ),
  ...all(is('evaluateEvery'), 'validationfreq evalfreq evalevery checkvaleverynepoch'),
  ...all(is('dtype', "'float32' or 'float64'"), 'precision mixedprecision fp16'),
  ...all(is('activation'), 'activationfunction activationfn nonlinearity act'),
};

const SOLVERS: Readonly<Record<string, string>> = {
  ...{
    adamw: "'adam' with decoupled and l2",
    nadam: "'nadamw'",
    adamwschedulefree: "'schedule-free'",
    rmsprop: "'adam'",
    radam: "'adam'",
    adamax: "'adam'",
  },
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
    ...Object.fromEntries(
      'gbdt xgboost lightgbm catboost gbtree randomforest dart'
        .split(' ')
        .map((name) => [name, "'auto', as there are no trees here"]),
    ),
    ...{
      mlp: "'auto'",
      neuralnetwork: "'auto'",
      logistic: "'auto', with hidden: []",
      linear: "'auto', with hidden: []",
    },
  },
};

const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase();
const kebab = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

/** What helps where an option is none of ours, as the end of a sentence; empty where nobody knows. */
export function optionMeant(name: string, typed = false): string {
  const hint = Object.hasOwn(HINTS, plain(name)) ? HINTS[plain(name)] : undefined;
  if (hint === undefined) return '';
  if (typed && hint.typed) return `; ${/^--/.test(hint.typed) ? 'dladmm says ' : ''}${hint.typed}`;
  if ('says' in hint) return `; ${hint.says}`;
  const { option, more } = hint;
  if (!typed) return `; dladmm says ${option}${more ? `: ${more}` : ''}`;
  const flag = option === 'onIteration' ? '--json, which prints every record' : `--${FLAGS[option] ?? kebab(option)}`;
  return `; dladmm says ${flag}`;
}

/** Flags that are not called as their options are. */
const FLAGS: Readonly<Record<string, string>> = { initialisation: 'init', validation: 'validation-share' };

/** What a solver of another library may have been meant for. */
export const solverMeant = (name: string, names: readonly string[]): string =>
  Object.hasOwn(SOLVERS, plain(name))
    ? `; did you mean ${SOLVERS[plain(name)]}?`
    : didYouMean(name, names) || '; docs/choosing-a-solver.md says which is for what';

/**
 * As checkKeys, of options: what is not known is told by what it may have been meant for, and not by a list of all.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkOptionKeys(options: object, known: readonly string[], of: string): void {
  const [unknown, given] =
    Object.entries(options).find(([key, value]) => value !== undefined && !known.includes(key)) ?? [];
  if (unknown === undefined) return;
  const counts = `; ${of} counts iterations: iterations: ${String(given)}, on the command line --iterations ${String(given)}`;
  // A name that is ours but for its spelling comes first.
  const same = known.find((key) => plain(key) === plain(unknown));
  const hint =
    unknown === 'epochs'
      ? counts
      : same
        ? `; did you mean ${same}?`
        : optionMeant(unknown) || didYouMean(unknown, known);
  const text = `Expected only what docs/options.md lists for the options of ${of} but received ${shortened(unknown)}: ${describe(given)}${hint}`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}
