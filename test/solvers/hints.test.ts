import { expect, test } from 'vitest';
import { importance, search } from '../../src/choosing.js';
import { type AutoOptions, DlAdmmError, fit, train } from '../../src/index.js';
import { adam, completePlan } from '../../src/solvers.js';

// What people write who come from another library is answered by what it is called here, never by a list of names alone.

const rows = Array.from({ length: 40 }, (_, i) => ({ age: 20 + ((i * 37) % 60), plan: ['a', 'b'][i % 2], y: i % 2 }));

/** What the refusal of an option says after what was received. */
function helpFor(options: object): string {
  try {
    train(rows, { target: 'y', ...options } as never);
  } catch (error) {
    if (error instanceof DlAdmmError) return error.message;
    throw error;
  }
  return 'accepted';
}

/** Names as scikit-learn, Keras, LightGBM, XGBoost, CatBoost, PyTorch, fastai and brain.js have them, by what helps. */
const MEANT: Readonly<Record<string, string>> = {
  'dladmm says validationShare': 'validation_fraction validationSplit valid_pct',
  'dladmm says validation$': 'validation_data eval_set valid_sets',
  'dladmm says hidden:': 'hidden_layer_sizes hiddenLayers hidden_size num_layers units',
  'samples out of the training': 'test_size test_split',
  'writes the model': 'save model_path output',
  'found in the samples': 'n_features input_shape num_classes in_features out_features outputSize',
  'dladmm says epochs': 'max_iter n_epochs max_epochs nEpoch',
  'dladmm says learningRate': 'lr learning_rate_init eta lr_scheduler gamma power_t lr_max',
  'dladmm says solver': 'optimizer booster boosting_type algorithm opt_func',
  'dladmm says loss': 'criterion objective loss_function loss_func',
  'dladmm says l2': 'weight_decay wd alpha C reg_lambda lambda_l1 l2_leaf_reg penalty kernel_regularizer l1_ratio',
  'dladmm says seed': 'random_state random_seed',
  'dladmm says threads': 'n_jobs num_workers thread_count nthread',
  'dladmm says earlyStopping': 'n_iter_no_change early_stopping_rounds patience tol min_delta od_wait errorThresh',
  'dladmm says onIteration': 'verbose callbacks verbosity logPeriod onEpochEnd silent cbs',
  'metric } says which': 'metrics scoring eval_metric monitor metric',
  'dladmm says target': 'label y y_names outcome',
  'dladmm says ignore': 'drop exclude ignored_features',
  'dladmm says columns': 'features usecols X_train',
  'dladmm says categories': 'categorical_feature cat_features one_hot_max_size handle_unknown cat_names',
  'dladmm says standardise': 'standardize normalize scaler batch_norm',
  'dladmm says initialisation': 'kernel_initializer warm_start init_model',
  'dladmm says batchSize': 'mini_batch bs',
  'did you mean batchSize': 'batch_size',
  'did you mean learningRate': 'learning_rate',
  'did you mean earlyStopping': 'early_stopping',
  'dladmm says missing': 'imputer use_missing nan_mode add_indicator',
  'dladmm says bins': 'max_bin border_count',
  'another order': 'shuffle steps_per_epoch',
  'of every class its share': 'stratify',
  'on the processor': 'device gpu_id task_type tree_method jit_compile',
  "solver: 'adam' takes": 'beta_1 beta_2 betas amsgrad epsilon',
  "solver: 'sgd'": 'momentum nesterovs_momentum',
  'safe without it': 'clipnorm gradient_clip_val max_grad_norm',
  'hold a network back': 'dropout subsample bagging_fraction feature_fraction colsample_bytree',
  'belongs to trees':
    'n_estimators max_depth num_boost_round num_leaves min_child_samples min_data_in_leaf min_samples_split depth',
  'belongs to other models': 'kernel n_neighbors fit_intercept',
  'crossValidate and search': 'cv param_grid n_trials groups',
  'a network has biases': 'bias use_bias from_logits output_activation',
  'did you mean classWeights': 'classWeights_',
  'dladmm says classWeights': 'classWeight class_weight scale_pos_weight is_unbalance auto_class_weights pos_weight',
  'dladmm says weights': 'sample_weight weight_column',
  'dladmm says checkpoint': 'checkpoint_path save_best_only',
  'dladmm says evaluateEvery': 'validation_freq eval_every',
  'dladmm says dtype': 'precision mixed_precision',
  'dladmm says activation': 'activation_function',
  'dladmm says task': 'problem_type type mode regression multilabel',
  'dladmm says delimiter': 'sep separator',
  'dladmm says buckets': 'hashing n_buckets',
  'dladmm says hash': 'feature_hasher tfidf_vectorizer',
  'dates are found': 'parse_dates dateColumns',
  'rare classes count more': 'smote balanced oversample',
  'the second of the classes': 'pos_label positiveClass',
  'AbortSignal.timeout': 'timeout timeLimit max_time',
  'missing by themselves': 'na_values',
  'how columns act together': 'interactions interaction_constraints',
  'docs/options.md': 'foo polynomial nrows',
};
const NAMES = Object.entries(MEANT).flatMap(([help, names]) => names.split(' ').map((name) => [name, help] as const));

test('more than a hundred names of other libraries are known', () => expect(NAMES.length).toBeGreaterThan(100));

test.each(NAMES)('%s', (name, help) => {
  const message = helpFor({ [name]: 1 });
  expect(message).toMatch(new RegExp(help));
  expect(message.length).toBeLessThan(240);
});

test.each([
  ['loss', 'mse', 'squared-error'],
  ['loss', 'categorical_crossentropy', 'softmax-cross-entropy'],
  ['loss', 'binary_crossentropy', 'softmax-cross-entropy'],
  ['loss', 'sparse_categorical_crossentropy', 'softmax-cross-entropy'],
  ['loss', 'logloss', 'softmax-cross-entropy'],
  ['loss', 'log_loss', 'softmax-cross-entropy'],
  ['loss', 'multi:softprob', 'softmax-cross-entropy'],
  ['loss', 'binary:logistic', 'softmax-cross-entropy'],
  ['loss', 'reg:squarederror', 'squared-error'],
  ['loss', 'mean_squared_error', 'squared-error'],
  ['loss', 'mean_absolute_error', 'absolute'],
  ['loss', 'L1Loss', 'absolute'],
  ['loss', 'BCEWithLogitsLoss', 'softmax-cross-entropy'],
  ['loss', 'SmoothL1Loss', 'huber'],
  ['loss', 'count:poisson', 'poisson'],
  ['activation', 'logistic', 'sigmoid'],
  ['activation', 'ReLU', 'relu'],
  ['activation', 'leaky_relu', 'leakyRelu'],
  ['activation', 'swish', 'silu'],
  ['activation', 'linear', 'identity'],
  ['activation', 'softmax', 'last layer is linear'],
  ['solver', 'lbfgs', "'auto'"],
  ['solver', 'adamw', "'adam'"],
  ['solver', 'nadam', "'nadamw'"],
  ['solver', 'rmsprop', "'adam'"],
  ['solver', 'gbdt', "'auto'"],
  ['learningRate', 'adaptive', 'function of'],
  ['missing', 'mean', 'impute'],
  ['missing', 'drop', 'impute'],
  ['task', 'classifier', 'classification'],
  ['task', 'regressor', 'regression'],
  ['task', 'binary', "many, are 'classification'"],
  ['earlyStopping', true, '{ patience: 10 }'],
  ['earlyStopping', 5, '{ patience: 10 }'],
  ['earlyStopping', { monitor: 'val_loss' }, 'did you mean metric?'],
  ['earlyStopping', { metric: 'specificity' }, 'docs/judging.md'],
  ['checkpoint', { filepath: 'a.ckpt' }, 'did you mean path?'],
  ['validation', 0.2, 'validationShare: 0.2'],
  ['test', true, 'validationShare: 0.2'],
  ['validationShare', 20, '0.2 is a fifth'],
  ['batchSize', 'auto', 'left out, it is'],
  ['learningRate', 'auto', 'left out, it is'],
  ['classWeights', 'balance', 'did you mean balanced?'],
  ['classWeights', [1, 2], '{ class: weight }'],
  ['classWeights', new Map([['a', 2]]), '{ class: weight }'],
  ['loss', 'focal', 'docs/losses.md'],
  ['loss', 'mape', "'absolute'"],
  ['solver', 'lion', 'docs/choosing-a-solver.md'],
  ['solver', 'xgboost', "'auto'"],
  ['solver', 'logistic', 'hidden: []'],
  ['activation', 'mish', 'docs/options.md'],
  ['missing', 'median', 'takes the median'],
  ['categories', ['plan'], 'by themselves'],
  ['dtype', 'float', 'float32'],
  ['dtype', 'double', 'float64'],
  ['classWeights', 'auto', 'balanced'],
])('%s: %s', (option, value, help) => {
  const message = helpFor({ [option]: value });
  expect(message).not.toBe('accepted');
  expect(message).toContain(help);
});

test.each([
  ['auc', 'rocAuc'],
  ['roc_auc', 'rocAuc'],
  ['f1', 'macroF1'],
  ['val_accuracy', 'accuracy'],
  ['neg_log_loss', 'logLoss'],
  ['average_precision', 'prAuc'],
])('earlyStopping: { metric: %s }', (metric, meant) => {
  expect(helpFor({ earlyStopping: { metric } })).toContain(`did you mean ${meant}?`);
});

test.each([
  ['he_normal', "'he'"],
  ['kaiming', "'he'"],
  ['glorot_uniform', "'glorot'"],
  ['xavier', "'glorot'"],
])('initialisation: %s', (initialisation, meant) => {
  const plan = (): unknown => completePlan(adam, { layers: [2, 2], initialisation } as never);
  expect(plan).toThrow(`did you mean ${meant}?`);
});

test.each([
  ['cv', 'folds'],
  ['n_splits', 'folds'],
  ['stratify', 'stratified'],
  ['random_state', 'seed'],
  ['n_jobs', 'parallel'],
  ['n_trials', 'trials'],
  ['n_iter', 'trials'],
  ['timeout', 'seconds'],
  ['scoring', 'metric'],
])('the rule %s of folds or of a search', async (name, meant) => {
  const space = { target: 'y', hidden: [[2], []] };
  await expect(search(rows, space, { [name]: 2 } as never)).rejects.toThrow(`did you mean ${meant}?`);
});

test('epochs, by a solver that counts iterations, and what importance is told by', async () => {
  expect(helpFor({ solver: 'dladmm', epochs: 3 })).toContain('dladmm counts iterations: iterations: 3');
  const { model } = await fit(rows, { target: 'y', epochs: 1, hidden: [2] } satisfies AutoOptions & { target: string });
  await expect(importance(model, rows, { metric: 'auc' as never })).rejects.toThrow('did you mean rocAuc?');
});
