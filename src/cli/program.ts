import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { graphNames } from '../datasets/graphs.js';
import { datasetNames } from '../datasets/registry.js';
import { ACTIVATION_NAMES } from '../network/network.js';
import { DEFAULTS } from '../solvers/dladmm/options.js';
import * as parse from './arguments.js';
import type { DatasetsFlags } from './datasets.js';
import { START, TEST_SHARE, VALIDATION_SHARE } from './defaults.js';
import type { ExportFlags, ImportFlags } from './exchange.js';
import type { EvaluateGraphFlags, PredictGraphFlags } from './graph-model.js';
import type { EvaluateFlags, PredictFlags } from './model.js';
import type { StartFlags } from './start.js';
import type { Terminal } from './terminal.js';
import type { TrainFlags } from './train.js';

/** The systems that can train, as in training/plan.ts; help needs no native code. */
const SOLVERS = [
  'dladmm',
  'inversion-admm',
  'sigmoid-admm',
  'minibatch-admm',
  'gd',
  'sgd',
  'adagrad',
  'adadelta',
  'adam',
  'badm',
  'sisa',
];
const STEPS = ['quadratic', 'inverse', 'cholesky', 'auto'];

const EXIT_CODES = `
Exit codes: 0 done, 1 error, 2 usage, 130 after Ctrl-C (the model is saved first; a second Ctrl-C ends at once).`;

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
With --json the last line has status, iterations, seconds, testAccuracy or testLoss (train… where nothing is tested),
and model. Standardisation and the names of classes and columns are kept in the model: it takes features as they are.
${EXIT_CODES}`;

const PREDICT_HELP = `
Examples:
  dladmm predict --model digits.safetensors --data digits | head
  dladmm predict flowers.safetensors new-flowers.csv
  dladmm predict --model houses.safetensors --data new-houses.csv --out prices.csv
  dladmm predict --model cora.safetensors --graph cora --part test

CSV: a line a sample, with the class and the probability of every class, or with the outputs of a regression.
Of a graph: a line a node, its number first; all nodes, or those of --part.
NPY: the probabilities, or the outputs, samples x outputs.`;

const EVALUATE_HELP = `
Examples:
  dladmm evaluate --model digits.safetensors --data digits
  dladmm evaluate --model houses.safetensors --data more-houses.csv --label price --json`;

const byDefault = (value: unknown): string =>
  `(default: ${typeof value === 'object' ? JSON.stringify(value) : String(value)})`;

const version = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { readonly version: unknown }).version);
};

const option = (flags: string, description: string): Option => new Option(flags, description);
const numberOption = (flags: string, description: string): Option =>
  option(flags, description).argParser(parse.parseNumber);
const wholeOption = (flags: string, description: string): Option =>
  option(flags, description).argParser(parse.parseWhole);
const choice = (flags: string, description: string, choices: readonly string[]): Option =>
  option(flags, description).choices(choices);

/** Where samples come from; the same for every command that takes some. */
function withData(command: Command, what: string, labelByDefault = 'the last'): Command {
  return command
    .optionsGroup('Data:')
    .addOption(option('--data <name|file>', `${what}: ${datasetNames.join(', ')}, or a file`))
    .option('--data-dir <folder>', 'look for named sets here first')
    .option('--no-download', 'never fetch a named set')
    .option(
      '--target, --label <column>',
      `CSV, Parquet, Arrow: the column of labels, by name or number (default: ${labelByDefault})`,
      parse.parseColumn,
    )
    .option('--labels <file>', 'NPY, IDX: the file of labels');
}

/** The same for graphs; one of the two must be given. */
function withGraph(command: Command, what: string): Command {
  return command
    .optionsGroup('Graphs, in place of --data:')
    .option('--graph <name|file>', `${what}: ${graphNames.join(', ')}, or an NPZ file`)
    .addOption(
      choice('--split <kind>', 'which nodes to train and to test on (default: that of the file where it has one)', [
        'standard',
        'random',
      ]),
    )
    .addOption(wholeOption('--train-per-class <n>', 'random split: nodes of each class to train on (default: 20)'))
    .addOption(wholeOption('--validation-per-class <n>', 'random split: nodes of each class to watch (default: 30)'))
    .option('--no-row-normalize', 'take features as they are (default: divided by their sum, node by node)');
}

const threads = (): Option =>
  wholeOption('--threads <n>', 'threads; the same number gives the same result, bit for bit (default: all processors)');

/** What a training goes on with is in its checkpoint: a default of the command line must not stand against it. */
const withoutDefaults = (flags: TrainFlags, command: Command): TrainFlags => {
  const isDefault = (name: string): boolean => name !== 'download' && command.getOptionValueSource(name) === 'default';
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !isDefault(name))) as unknown as TrainFlags;
};

/**
 * Flags from arguments without a name, which stand for those of `names` that were not given, in their order.
 *
 * @param args what Commander gives an action: the arguments, the flags, the command
 */
function named<Flags>(names: readonly string[], args: readonly unknown[]): Flags {
  const command = args.at(-1) as Command;
  const flags = { ...(args.at(-2) as Record<string, unknown>) };
  const values = args.slice(0, -2).filter((value) => value !== undefined);
  // A graph stands in place of the data.
  const needed = names.filter((name) => flags[name] === undefined && !(name === 'data' && flags.graph !== undefined));
  for (const name of needed) {
    if (values.length === 0) {
      const long = command.options.find((known) => known.attributeName() === name)?.flags ?? name;
      const other = name === 'data' && command.options.some(({ long }) => long === '--graph');
      command.error(`error: required option '${long}' not specified${other ? ', nor --graph <name|file>' : ''}`, {
        code: 'commander.missingMandatoryOptionValue',
      });
    }
    flags[name] = values.shift();
  }
  if (values.length > 0)
    command.error(`error: too many arguments: ${values.join(' ')}`, { code: 'commander.excessArguments' });
  return flags as Flags;
}

/** Commands answer with their exit code. */
type Run<Flags> = (flags: Flags, terminal: Terminal) => Promise<number>;

/**
 * The command line. What a command does is loaded when it runs, so that help needs no native code.
 *
 * @param end told the exit code of the command that ran
 */
export function createProgram(terminal: Terminal, end: (exitCode: number) => void): Command {
  const running =
    <Flags>(load: (flags: Flags) => Promise<Run<Flags>>) =>
    async (flags: Flags): Promise<void> =>
      end(await (await load(flags))(flags, terminal));

  const runningOn =
    <Flags>(names: readonly string[], load: (flags: Flags) => Promise<Run<Flags>>) =>
    async (...args: readonly unknown[]): Promise<void> => {
      const flags = named<Flags>(names, args);
      end(await (await load(flags))(flags, terminal));
    };

  const program = new Command('dladmm')
    .description('Trains neural networks by ADMM (dlADMM), without back-propagation.')
    .version(version())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'dladmm: ')) })
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', `\nExample:\n  dladmm train --data digits --save digits.safetensors\n${EXIT_CODES}`);

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
      '--standardise, --standardize',
      'z-score every feature, with mean and deviation of the training set\n(default: unless all lie in [0, 1], as pixels do)',
    )
    .option('--no-standardise, --no-standardize', 'take features as they are')
    .addOption(
      choice('--categories <how>', 'CSV, Parquet, Arrow: one-hot makes an input of each text in a column of texts', [
        'one-hot',
      ]),
    )
    .optionsGroup('Network:')
    .option('--from <model>', 'go on from a saved model: its layers, activation, loss, weights and biases')
    .option('--layers <widths>', 'widths, inputs first: 784-1000-1000-10 (default: by the data)', parse.parseLayers)
    .option(
      '--activation <name>',
      `${ACTIVATION_NAMES.join(', ')}, leaky-relu:SLOPE, elu:ALPHA ${byDefault(DEFAULTS.activation)}; sigmoid-admm sigmoid or tanh`,
      parse.parseActivation,
    )
    .option(
      '--init <how>',
      `he, glorot, gaussian:SD, or msra, xavier, lecun, orthogonal with :GAIN ${byDefault(`gaussian:${DEFAULTS.initialisation.gaussian}`)}; sigmoid-admm msra:8`,
      parse.parseInitialisation,
    )
    .addOption(choice('--dtype <type>', `${byDefault(DEFAULTS.dtype)}; sigmoid-admm float64`, ['float32', 'float64']))
    .addOption(wholeOption('--seed <n>', 'of initialisation and splits').default(DEFAULTS.seed))
    .optionsGroup('Solver:')
    .addOption(choice('--solver <name>', 'the system that trains', SOLVERS).default(SOLVERS[0]))
    .addOption(
      wholeOption(
        '--iterations <n>',
        `iterations at most ${byDefault(DEFAULTS.iterations)}; inversion-admm 100; sigmoid-admm 200`,
      ),
    )
    .option('--time-limit <seconds>', 'begin no iteration after this time', parse.parseSeconds)
    .addOption(numberOption('--nu <number>', `penalty of the hidden constraints ${byDefault(DEFAULTS.nu)}`))
    .addOption(numberOption('--rho <number>', `penalty of the output constraint ${byDefault(DEFAULTS.rho)}`))
    .addOption(
      choice('--schedule <name>', `how the penalties change ${byDefault(DEFAULTS.schedule)}`, [
        'constant',
        'paper',
        'reference',
        'published',
      ]),
    )
    .addOption(
      choice('--step-search <kind>', `how step sizes are found ${byDefault(DEFAULTS.stepSearch)}`, [
        'exact',
        'backtracking',
      ]),
    )
    .addOption(
      numberOption('--theta0 <number>', `backtracking: first size of a W step ${byDefault('samples / 60,000')}`),
    )
    .addOption(numberOption('--tau0 <number>', `backtracking: first size of an a step ${byDefault(DEFAULTS.tau0)}`))
    .addOption(numberOption('--growth <number>', `backtracking: growth of the sizes ${byDefault(DEFAULTS.growth)}`))
    .option(
      '--l2 <number>',
      'weight of the squared weights in the objective (default: 0); on a graph one for all layers or one each (default: 0.1)',
      parse.parseNumbers,
    )
    .addOption(
      choice('--output-weights <kind>', 'on a graph: how the last W is minimised over (default: cholesky)', [
        'quadratic',
        'cholesky',
      ]),
    )
    .addOption(choice('--dual <start>', 'on a graph: where U begins (default: stationary)', ['stationary', 'zero']))
    .addOption(
      choice('--output-solver <name>', 'how the output layer is minimised (default: exact)', ['exact', 'fista']),
    )
    .addOption(
      choice('--softmax <kind>', "reference is the official code's (default: stable)", ['stable', 'reference']),
    )
    .addOption(
      choice('--loss <name>', 'of classes (default: softmax-cross-entropy; sigmoid-admm one-hot-squared-error)', [
        'softmax-cross-entropy',
        'hinge',
        'one-hot-squared-error',
      ]),
    )
    .addOption(
      choice('--step-w <kind>', 'how every W is minimised over (default: quadratic; inversion-admm cholesky)', [
        ...STEPS,
        'pseudoinverse',
      ]),
    )
    .addOption(
      choice('--step-a <kind>', 'how every a is minimised over (default: quadratic; inversion-admm cholesky)', STEPS),
    )
    .addOption(
      numberOption(
        '--beta <number>',
        'inversion-admm: penalty of z = W a + b; sigmoid-admm: of every constraint (default: 1); minibatch-admm: memory of the Gram matrices (default: 0.95)',
      ),
    )
    .addOption(numberOption('--gamma <number>', 'inversion-admm: penalty of a = h(z) (default: 1)'))
    .addOption(wholeOption('--warm-start <n>', 'inversion-admm: iterations without the multiplier (default: 5)'))
    .addOption(numberOption('--lambda <number>', 'sigmoid-admm: weight of the squared weights (default: 1e-6)'))
    .addOption(
      choice('--majoriser <name>', "sigmoid-admm: the paper's curvature or its code's (default: paper)", [
        'paper',
        'code',
      ]),
    )
    .addOption(threads())
    .optionsGroup('Gradient solvers (gd, sgd, adagrad, adadelta, adam, badm, sisa):')
    .addOption(wholeOption('--epochs <n>', 'epochs at most (default: 10)'))
    .addOption(wholeOption('--batch-size <n>', 'samples a batch (default: 128; gd all; minibatch-admm by the samples)'))
    .addOption(
      numberOption(
        '--learning-rate <number>',
        'all but badm and sisa (default: adagrad 0.01, adadelta 1, the others 0.001)',
      ),
    )
    .addOption(choice('--reduction <kind>', 'what a batch minimises (default: mean)', ['mean', 'sum']))
    .option(
      '--weight-decay <number>',
      'weight of the squared parameters (default: 0); on a graph one a layer: 5e-4,0 (default: that)',
      parse.parseNumbers,
    )
    .addOption(numberOption('--dropout <share>', 'on a graph: what a step leaves out of each layer (default: 0.5)'))
    .addOption(numberOption('--momentum <number>', 'sgd (default: 0); minibatch-admm (default: 0.9)'))
    .option('--nesterov', 'sgd: look ahead along the momentum')
    .addOption(numberOption('--sigma <number>', 'badm, sisa: penalty of w_s = w (default: 1; --rho 40, 2000)'))
    .addOption(wholeOption('--sub-batches <n>', 'badm, sisa: parts of a batch (default: 1; sisa 4)'))
    .optionsGroup('Mini-batch dlADMM (minibatch-admm; --epochs, --batch-size, --momentum and --beta too):')
    .addOption(
      numberOption(
        '--step <number>',
        'length of a W step, which falls to 0 over the epochs (default: 0.4; squared errors 0.2)',
      ),
    )
    .addOption(numberOption('--damping <number>', 'δ over the mean eigenvalue of the Gram matrix (default: 4)'))
    .addOption(choice('--gram <kind>', 'how (A + δI)⁻¹ is had (default: low-rank)', ['low-rank', 'full']))
    .addOption(wholeOption('--rank <n>', 'directions that low-rank keeps (default: 16)'))
    .addOption(wholeOption('--gram-every <n>', 'batches between those that a Gram matrix takes in (default: 10)'))
    .optionsGroup('Watching and stopping:')
    .addOption(wholeOption('--evaluate-every <n>', `iterations between tests ${byDefault(DEFAULTS.evaluateEvery)}`))
    .option('--train-metrics', 'judge the network on the training set too')
    .option(
      '--early-stopping <patience>',
      'stop after so many tests without gain on a validation set, and keep the best',
      parse.parseCount,
    )
    .option(
      '--validation-share <share>',
      `share of the training set for that ${byDefault(VALIDATION_SHARE)}`,
      parse.parseShare(false),
    )
    .optionsGroup('Output:')
    .option('--save <file>', 'write the model here (safetensors)')
    .option(
      '--checkpoint <file>',
      'write the whole training here as it goes, and when it stops, so that --resume can go on',
    )
    .option('--checkpoint-every <n>', 'iterations between two (default: 25)', parse.parseCount)
    .option('--resume <file>', 'go on from a checkpoint, to the same numbers as if nothing had happened')
    .option('--inexact', '--resume: with another version, processor or number of threads, the same up to rounding')
    .option('--json', 'a JSON object a line: one an iteration, then the outcome')
    .option('--quiet', 'the outcome only')
    .addHelpText('after', TRAIN_HELP)
    .action((...args: readonly unknown[]) =>
      runningOn<TrainFlags>(['data'], async () => (await import('./train.js')).trainCommand)(
        args[0],
        (args[1] as TrainFlags).resume === undefined
          ? args[1]
          : withoutDefaults(args[1] as TrainFlags, args[2] as Command),
        args[2],
      ),
    );

  const predict = program.command('predict [model] [data]').description('what a saved model says of samples');
  withData(predict, 'what to predict from', 'the last where there is one too many')
    .addOption(choice('--part <part>', 'which part of a set that has two (default: test)', ['train', 'test']))
    .optionsGroup('Model and output:')
    .option('--model <file>', 'the model')
    .option('--out <file>', 'a file that ends in .csv or .npy, or - for the standard output', parse.parseOutput, '-')
    .addHelpText('after', PREDICT_HELP)
    .action(
      runningOn<PredictFlags & PredictGraphFlags>(['model', 'data'], async ({ graph }) =>
        graph === undefined
          ? (await import('./model.js')).predictCommand
          : (await import('./graph-model.js')).predictGraph,
      ),
    );

  const evaluate = program.command('evaluate [model] [data]').description('how good a saved model is');
  withData(evaluate, 'what to judge it by')
    .addOption(choice('--part <part>', 'which part of a set that has two (default: test)', ['train', 'test']))
    .optionsGroup('Model and output:')
    .option('--model <file>', 'the model')
    .option('--json', 'the answer as JSON')
    .addHelpText('after', EVALUATE_HELP)
    .action(
      runningOn<EvaluateFlags & EvaluateGraphFlags>(['model', 'data'], async ({ graph }) =>
        graph === undefined
          ? (await import('./model.js')).evaluateCommand
          : (await import('./graph-model.js')).evaluateGraph,
      ),
    );

  withGraph(train, 'what to train a graph convolutional network on');
  for (const command of [predict, evaluate]) {
    withGraph(command, 'a graph for a model of one').addOption(
      wholeOption('--seed <n>', 'of a random split').default(DEFAULTS.seed),
    );
  }

  program
    .command('export')
    .description('write a saved model as ONNX')
    .argument('<model>', 'the model')
    .requiredOption('--to <file>', 'the ONNX file')
    .addOption(
      choice('--output <what>', 'of softmax cross-entropy: probabilities, or the outputs before the softmax', [
        'probabilities',
        'outputs',
      ]),
    )
    .addOption(wholeOption('--opset <version>', 'of the ONNX operator set (default: 26; 13 is the lowest)'))
    .addHelpText('after', '\nExample:\n  dladmm export digits.safetensors --to digits.onnx')
    .action(async (model: string, flags: Omit<ExportFlags, 'model'>) =>
      running<ExportFlags>(async () => (await import('./exchange.js')).exportCommand)({ ...flags, model }),
    );

  program
    .command('import')
    .description('make a model of an ONNX file, or of the state dict of PyTorch in safetensors')
    .argument('<file>', 'the file')
    .requiredOption('--to <model>', 'the model file')
    .addOption(
      choice('--loss <name>', 'what training goes on with (default: what the file says; softmax-cross-entropy)', [
        'softmax-cross-entropy',
        'squared-error',
        'hinge',
        'one-hot-squared-error',
      ]),
    )
    .addOption(choice('--dtype <type>', '(default: by the file)', ['float32', 'float64']))
    .option('--activation <name>', 'state dict: of the hidden layers (default: relu)', parse.parseActivation)
    .option('--order <names>', 'state dict: the layers, inputs first: fc1,fc2,head', parse.parseNames)
    .addHelpText(
      'after',
      `\nExamples:
  dladmm import network.onnx --to network.safetensors
  dladmm import state-dict.safetensors --activation tanh --to network.safetensors
  dladmm train --data digits --from network.safetensors --save better.safetensors`,
    )
    .action(async (file: string, flags: Omit<ImportFlags, 'file'>) =>
      running<ImportFlags>(async () => (await import('./exchange.js')).importCommand)({ ...flags, file }),
    );

  program
    .command('datasets')
    .description('the named data sets, and where they are')
    .option('--data-dir <folder>', 'look here first')
    .option('--json', 'as a JSON array')
    .addHelpText('after', '\nExamples:\n  dladmm datasets\n  dladmm datasets --json')
    .action(running<DatasetsFlags>(async () => (await import('./datasets.js')).datasetsCommand));

  program
    .command('start')
    .description('a first look: train on Fashion-MNIST in about a minute')
    .option('--data-dir <folder>', 'look for the data here first')
    .option('--no-download', 'never fetch the data')
    .addOption(wholeOption('--iterations <n>', 'iterations at most').default(START.iterations))
    .option('--time-limit <seconds>', 'begin no iteration after this time', parse.parseSeconds, START.timeLimit)
    .addOption(threads())
    .option('--save <file>', "write the model here (default: the data set's name, in this folder)")
    .addHelpText(
      'after',
      `\nExamples:\n  dladmm start\n  dladmm start --iterations 20 --save look.safetensors\n${EXIT_CODES}`,
    )
    .action(running<StartFlags>(async () => (await import('./start.js')).startCommand));

  // Its options are the benchmark's own: they are handed on as they are, --help too.
  program
    .command('bench')
    .description('measurements of this package on this machine')
    .command('complexity')
    .description('the time of an update against the width of the layers: quadratic steps beside inversion steps')
    .usage('[options]')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_: unknown, { args }: Command) =>
      end(await (await import('./bench.js')).benchCommand('complexity', args, terminal)),
    );

  return program;
}
