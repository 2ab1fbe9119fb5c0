import type { Command } from 'commander';
import { METRIC_NAMES } from '../judging/metrics.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import * as parse from './arguments.js';
import { TEST_SHARE, VALIDATION_SHARE } from './defaults.js';
import { byDefault, choice, EXIT_CODES, named, option, withData, withGraph } from './flags.js';
import { parseSolver, typedOptions, withSolverFlags } from './solver-flags.js';
import type { TrainFlags } from './train.js';

const TRAIN_HELP = `
Examples:
  dladmm train --data digits --nu 1 --rho 1 --theta0 1e-12 --tau0 1e-12 --save digits.safetensors
  dladmm train --data fashion-mnist --layers 784-1000-1000-10 --iterations 200 --save fashion.safetensors
  dladmm train flowers.csv --target species --save flowers.safetensors
  dladmm train --data houses.csv --label price --test-share 0.1 --early-stopping 20 --save houses.safetensors
  dladmm train --data digits --solver inversion-admm --iterations 40
  dladmm train --data digits --solver adam --epochs 20 --batch-size 32
  dladmm train --data digits --solver minibatch-admm --layers 64-100-100-10
  dladmm train --data fashion-mnist --checkpoint run.checkpoint --checkpoint-every 25 --save fashion.safetensors
  dladmm train --data fashion-mnist --resume run.checkpoint --save fashion.safetensors
  dladmm train --data iris --json --quiet
  dladmm train --graph cora --layers 1433-128-7 --save cora.safetensors
  dladmm train --graph papers.npz --split random --seed 2 --solver adam

Files: CSV, Parquet, Arrow (with the package apache-arrow), NPZ (x, y or x_train, y_train, x_test, y_test), NPY or IDX
(with --labels), each gzipped or not.
Graphs: NPZ with the arrays of gnn-benchmark (adj_data …, attr_data … or attr_matrix, labels, train_idx, val_idx, test_idx).
The help of one solver alone: dladmm train --solver NAME --help.
With --json the last line has status, iterations, seconds, testAccuracy or testLoss (train… where nothing is tested),
and model. Standardisation and the names of classes and columns are kept in the model: it takes features as they are.
${EXIT_CODES}`;

/** The flags of `dladmm train`. */
export function trainCommandOf(program: Command, solvers: readonly AnySolver[]): Command {
  const train = program.command('train [data]').description('train a network');
  withData(train, 'what to train on')
    .addOption(
      choice('--task <task>', 'what the labels of a file are (default: judged by them)', [
        'classification',
        'regression',
      ]),
    )
    .option('--test-data <name|file>', 'what to test on')
    .option('--test-labels <file>', 'NPY, IDX: the file of its labels')
    .option(
      '--test-share <share>',
      `share of a file without a test part to test on; 0 for none ${byDefault(TEST_SHARE)}`,
      parse.parseShare(true),
    )
    .option('--train-samples <n>', 'train on the first n samples only', parse.parseCount)
    .option(
      '--standardize, --standardise',
      'z-score every feature, with mean and deviation of the training set\n(default: unless all lie in [0, 1], as pixels do)',
    )
    .option('--no-standardize, --no-standardise', 'take features as they are')
    .option(
      '--columns <columns>',
      'CSV, Parquet, Arrow: the columns that are features (default: all others)',
      parse.parseColumns,
    )
    .option('--weights <column>', 'tables, with --target: the column that says what a row counts for')
    .addOption(
      choice('--categories <how>', 'CSV, Parquet, Arrow: one-hot makes an input of each text in a column of texts', [
        'one-hot',
      ]),
    );
  withGraph(train, 'what to train a graph convolutional network on');
  train
    .optionsGroup('Solver:')
    .addOption(
      option(
        '--solver <name|file>',
        'the system that trains, or a module that exports one (default: dladmm)',
      ).argParser(parseSolver(solvers)),
    )
    .option('--from <model>', 'go on from a saved model: its layers, activation, loss, weights and biases')
    .option('--time-limit <seconds>', 'begin no iteration after this time', parse.parseSeconds)
    .option(
      '--early-stopping <patience>',
      'stop after so many tests without gain on a validation set, and keep the best',
      parse.parseCount,
    )
    .addOption(choice('--metric <name>', 'what has to improve for that (default: loss)', METRIC_NAMES))
    .option(
      '--validation-share <share>',
      `share of the training set for that ${byDefault(VALIDATION_SHARE)}`,
      parse.parseShare(false),
    );
  withSolverFlags(train, solvers);
  return train
    .optionsGroup('Output:')
    .option('--save <file>', 'write the model here (safetensors)')
    .option(
      '--checkpoint <file>',
      'write the whole training here as it goes, and when it stops, so that --resume can go on',
    )
    .option('--checkpoint-every <n>', 'iterations between two (default: 25)', parse.parseCount)
    .option('--resume <file>', 'go on from a checkpoint, to the same numbers as if nothing had happened')
    .option('--inexact', '--resume: with another version or processor, the same up to rounding')
    .option('--json', 'a JSON object a line: one an iteration, then the outcome')
    .option('--quiet', 'the outcome only')
    .addHelpText('after', TRAIN_HELP);
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
