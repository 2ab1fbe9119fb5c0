import type { Command } from 'commander';
import { FOLDS, PATH, SEARCH } from '../choosing/options.js';
import { COMPRESS, PACE } from '../compressing/options.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import { FRONT } from '../training/options.js';
import { PACK } from '../training/pack.js';
import * as parse from './arguments.js';
import type { TrainFlags } from './commands/train.js';
import { TEST_SHARE } from './defaults.js';
import { choice, EXIT_CODES, named, option, showing, withData, withGraph } from './flags.js';
import { parseSolver, typedOptions, withOptions, withSolverFlags } from './solver-flags.js';

const FIRST_EXAMPLES = `
Examples:
  dladmm train customers.csv --target churned --save churn.safetensors
  dladmm train houses.parquet --target price --ignore id,agent --hidden 64-64
  dladmm train digits --solver dladmm --iterations 100
${EXIT_CODES}`;

const EXAMPLES = `
Examples:
  dladmm train customers.csv --target churned --save churn.safetensors
  dladmm train houses.csv --target price --test-share 0.1 --early-stopping 20 --save houses.safetensors
  dladmm train --data digits --solver dladmm --nu 1 --rho 1 --theta0 1e-12 --tau0 1e-12 --save digits.safetensors
  dladmm train --data fashion-mnist --solver dladmm --layers 784-1000-1000-10 --iterations 200
  dladmm train --data digits --solver adam --epochs 20 --batch-size 32
  dladmm train --data fashion-mnist --checkpoint run.checkpoint --checkpoint-every 25 --save fashion.safetensors
  dladmm train --data fashion-mnist --resume run.checkpoint --save fashion.safetensors
  dladmm train --graph cora --layers 1433-128-7 --save cora.safetensors
  dladmm train --graph papers.npz --split random --seed 2 --solver adam

Tables: CSV, Parquet, Arrow (with the package apache-arrow). Arrays: NPZ (x, y or x_train, y_train, x_test, y_test), NPY or IDX
(with --labels). Each may be gzipped.
Graphs: NPZ with the arrays of gnn-benchmark (adj_data …, attr_data … or attr_matrix, labels, train_idx, val_idx, test_idx).
The help of one solver alone: dladmm train --solver NAME --help.
With --json the last line has status, iterations, seconds, testAccuracy or testLoss (validation… or train… where nothing is
tested), and model. Encodings, standardisation and the names of classes and columns are kept in the model: it takes rows as they are.
${EXIT_CODES}`;

/** The options that matter on the first day. */
const MATTER = [
  ...['--target', '--ignore', '--hidden', '--solver', '--epochs'],
  ...['--test-data', '--time-limit', '--seed', '--save', '--json'],
];

const { columns, task, missing, categories, buckets, hash, pairs, bins, weights, ...SAMPLES } = FRONT;
const { hidden, validationShare, calibrate, memory } = SAMPLES;
const TABLES = { columns, task, missing, categories, buckets, hash, pairs, bins, weights };

/** What to train on, and what becomes of its columns. */
const withSamples = (command: Command): Command =>
  withOptions(withData(command, 'what to train on', 'the last'), TABLES).option(
    '--train-samples <n>',
    'train on the first n samples only',
    parse.parseCount,
  );

/** What to test on; of what is parted into folds all parts are, each in its turn. */
const withTest = (command: Command): Command =>
  command
    .option('--test-data <name|file>', 'what to test on')
    .option('--test-labels <file>', 'NPY, IDX: the file of its labels')
    .option(
      '--test-share <share>',
      `share of the samples to test on, where there is no test set (default: of a table 0, of arrays ${TEST_SHARE})`,
      parse.parseShare(true),
    );

function withTraining(command: Command, solvers: readonly AnySolver[], without: readonly string[] = []): Command {
  command
    .optionsGroup('Solver:')
    .addOption(
      option(
        '--solver <name|file>',
        'the system that trains, or a module that exports one (default: auto, which goes by the samples)',
      ).argParser(parseSolver(solvers)),
    );
  return withSolverFlags(withOptions(command, { hidden, validationShare, calibrate, memory }), solvers, without);
}

export function trainCommandOf(program: Command, solvers: readonly AnySolver[], everything: boolean): Command {
  const train = program.command('train [data]').description('train a network');
  withTest(withSamples(train));
  withGraph(train, 'what to train a graph convolutional network on');
  train
    .optionsGroup('Solver:')
    .option('--from <model>', 'go on from a saved model: its layers, activation, loss, weights and biases')
    .option('--time-limit <seconds>', 'begin no iteration after this time', parse.parseSeconds);
  withTraining(train, solvers)
    .optionsGroup('Output:')
    .option('--save <file>', 'write the model here (safetensors)')
    .option(
      '--report <file>',
      'write a page about the training here (HTML); of a table also what each column is worth, where that is soon found',
    )
    .option('--live', 'a page that follows the training, on this machine alone: the address is told')
    .option(
      '--runs <folder>',
      'keep a record of this run here, written as it goes (JSON lines; dladmm runs lists them)',
    )
    .option(
      '--trace <file>',
      'write what every update took and changed here: JSON lines, or where it ends in .json a file for chrome://tracing\n(of solvers whose iterations are sweeps; takes twice the memory, and several times as long)',
    )
    .option('--resume <file>', 'go on from a checkpoint, to the same numbers as if nothing had happened')
    .option('--inexact', '--resume: with another version or processor, the same up to rounding')
    .option('--json', 'a JSON object a line: one an iteration, then the outcome')
    .option('--quiet', 'the outcome only');
  return showing(train, everything, MATTER).addHelpText('after', everything ? EXAMPLES : FIRST_EXAMPLES);
}

const FOLDS_MATTER = [
  '--target',
  '--ignore',
  '--hidden',
  '--solver',
  '--epochs',
  '--folds',
  '--groups',
  '--seed',
  '--json',
];

/** The seed is that of the trainings. */
const { seed: _, ...HOW } = FOLDS;
const withFolds = (command: Command): Command => withOptions(command.optionsGroup('Folds:'), HOW);
const ONCE = ['checkpoint', 'distributed'];

export function crossValidateCommandOf(program: Command, solvers: readonly AnySolver[], everything: boolean): Command {
  const command = program.command('cross-validate [data]').description('how good a way of training is');
  withTraining(withFolds(withSamples(command)), solvers, ONCE)
    .optionsGroup('Output:')
    .option('--json', 'the answer as JSON');
  return showing(command, everything, FOLDS_MATTER).addHelpText(
    'after',
    '\nExample:\n  dladmm cross-validate customers.csv --target churned --folds 10',
  );
}

export function pathCommandOf(program: Command, solvers: readonly AnySolver[], everything: boolean): Command {
  const command = program.command('path [data]').description('how strong a regulariser is to be');
  const { strengths, rule } = PATH;
  withOptions(withSamples(command).optionsGroup('Path:'), { strengths, rule });
  withTraining(withFolds(command), solvers, ONCE)
    .optionsGroup('Output:')
    .option('--save <file>', 'train up to the chosen strength on all samples, and write the model here')
    .option('--json', 'the answer as JSON');
  const matter = ['--strengths', '--rule', '--regularise', '--metric', '--save', ...FOLDS_MATTER];
  return showing(command, everything, matter).addHelpText(
    'after',
    "\nExample:\n  dladmm path customers.csv --target churned --solver minibatch-admm --hidden 20 --regularise 'inputs=1;' --strengths 1e-3,1e-2,1e-1",
  );
}

export function searchCommandOf(program: Command, solvers: readonly AnySolver[], everything: boolean): Command {
  const command = program.command('search [data]').description('which settings are best');
  const { trials, seconds, method, resume } = SEARCH;
  withOptions(withSamples(command).optionsGroup('Search:'), { trials, seconds, method, resume }).option(
    '--space <file>',
    'JSON: options, each a value, an array to choose from, or { "draw": "log-uniform", "low": 1e-4, "high": 0.1 } (also uniform, integer)\n(default: hidden widths, activation and l2, where the solver has them; options that are given as flags are fixed)',
  );
  withTraining(withFolds(command), solvers, ONCE)
    .optionsGroup('Output:')
    .option('--save <file>', 'train with the best settings on all samples, and write the model here')
    .option('--json', 'the answer as JSON')
    .option('--quiet', 'the outcome only');
  return showing(command, everything, [
    '--trials',
    '--seconds',
    '--method',
    '--space',
    '--metric',
    '--resume',
    '--save',
    ...FOLDS_MATTER,
  ]).addHelpText(
    'after',
    '\nExample:\n  dladmm search customers.csv --target churned --seconds 60 --metric rocAuc --save churn.safetensors',
  );
}

export const packCommandOf = (program: Command): Command =>
  withOptions(
    withData(
      program.command('pack [data]').description('write samples to a store, to train from it'),
      'what to pack',
      'the last',
    ),
    { ...TABLES, precision: PACK.precision },
  )
    .optionsGroup('Output:')
    .requiredOption('--out <file>', 'the store')
    .option('--json', 'what was written as JSON')
    .addHelpText(
      'after',
      `\nExample:\n  dladmm pack customers.parquet --target churned --out customers.samples\n  dladmm train customers.samples --memory 2GB --save churn.safetensors\n${EXIT_CODES}`,
    );

export function compressCommandOf(program: Command, solvers: readonly AnySolver[]): Command {
  const { signal: _, onStep: __, ...rules } = COMPRESS;
  const takes = solvers.filter(({ options }) => 'regularise' in options).map(({ name }) => name);
  const command = program
    .command('compress [model] [data]')
    .description('make a saved model smaller: few weights, or neurons');
  withData(command, 'rows to train on, of which some are held out', "the model's").optionsGroup('What stays:');
  withOptions(command, rules)
    .optionsGroup('Training:')
    .addOption(choice('--solver <name>', 'what trains (default: adam)', takes));
  return withOptions(command, PACE)
    .optionsGroup('Model and output:')
    .option('--model <file>', 'the model')
    .requiredOption('--to <file>', 'write the smaller model here (safetensors)')
    .option('--picture <file>', 'draw the score against the weights that are left, round by round (SVG)')
    .option('--json', 'the outcome as JSON')
    .option('--quiet', 'the outcome only')
    .addHelpText(
      'after',
      `\nExamples:\n  dladmm compress churn.safetensors customers.csv --sparsity 0.95 --to small.safetensors\n  dladmm compress digits.safetensors digits --structure neurons --parameters 2000 --to narrow.safetensors\n${EXIT_CODES}`,
    );
}

/** What was typed, the options of the solver by themselves. */
export function trainFlagsOf(args: readonly unknown[], solvers: readonly AnySolver[]): TrainFlags {
  const command = args.at(-1) as Command;
  const flags = named<TrainFlags>(['data'], args);
  // A default of the command line must not stand against what a checkpoint says, nor be taken for a wish.
  const typed = Object.fromEntries(
    Object.entries(flags).filter(([name]) => command.getOptionValueSource(name) !== 'default' || name === 'download'),
  ) as unknown as TrainFlags;
  return { ...typed, options: typedOptions(typed as unknown as Record<string, unknown>, solvers) };
}
