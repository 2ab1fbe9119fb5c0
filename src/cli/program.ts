import { Command } from 'commander';
import { FOLDS, PATH, SEARCH } from '../choosing/options.js';
import { COMPRESS } from '../compressing/options.js';
import { didYouMean } from '../core/checks.js';
import { packageVersion } from '../core/package.js';
import { metricMeant } from '../judging/metrics.js';
import { IMPORTANCE } from '../model/importance.js';
import { IMPORT, ONNX, STATE_DICT } from '../model/options.js';
import { activationMeant, lossMeant } from '../network/network.js';
import { calledHere, type Schema, SEED } from '../network/schema.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import { optionMeant, solverMeant } from '../solvers/shared/hints.js';
import { FRONT } from '../training/options.js';
import * as parse from './arguments.js';
import type { CompressFlags } from './commands/compress.js';
import type { DatasetsFlags } from './commands/datasets.js';
import type { DoctorFlags } from './commands/doctor.js';
import type { ExportFlags, ImportFlags } from './commands/exchange.js';
import type { EvaluateFlags, PredictFlags } from './commands/model.js';
import type { PackFlags } from './commands/pack.js';
import type { CompareFlags, RunsFlags } from './commands/runs.js';
import type { StartFlags } from './commands/start.js';
import { START } from './defaults.js';
import { choice, EXIT_CODES, named, type Run, showing, threads, wholeOption, withData, withGraph } from './flags.js';
import type { Solvers } from './own-solver.js';
import { withOptions } from './solver-flags.js';
import type { Terminal } from './terminal.js';
import {
  compressCommandOf,
  crossValidateCommandOf,
  packCommandOf,
  pathCommandOf,
  searchCommandOf,
  trainCommandOf,
  trainFlagsOf,
} from './train-command.js';

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
  dladmm evaluate --model houses.safetensors --data more-houses.csv --target price --json`;

/** What helps where a flag, or a word behind one, is misspelt or of another library. */
function hintOf(error: string, command: Command, solvers: readonly AnySolver[]): string {
  const [, flag] = /unknown option '--([\w-]+)/.exec(error) ?? [];
  if (flag !== undefined) {
    const others = longFlagsOf(command).filter((other) => other !== flag);
    const here = calledHere(SCHEMAS[command.name()] ?? {}, flag);
    if (here !== undefined) return `; did you mean --${here}?`;
    if (FOLDED.includes(command.name()) && /^test-(?:data|labels|share)$/.test(flag)) {
      return `; ${command.name()} holds every part out in its turn, and train takes --${flag}`;
    }
    const near = didYouMean(flag, others).replace(/(\S+)\?$/, '--$1?');
    return optionMeant(flag, true) || near || `; docs/options.md lists them, and ${command.name()} --help all`;
  }
  const [, name, word = ''] =
    /option '(?:.*, )?--([\w-]+) .*' argument (?:'(.*)' is invalid|missing)/.exec(error) ?? [];
  if (name === 'loss') return lossMeant(word);
  if (name === 'activation') return activationMeant(word);
  if (name === 'metric') return metricMeant(word);
  if (name === 'solver') return solverMeant(word, ['auto', ...solvers.map((solver) => solver.name)]);
  const help = name === undefined ? undefined : FRONT[name as keyof typeof FRONT]?.help;
  if (help !== undefined) return `; ${help}`;
  if (/^error: too many arguments for 'train'/.test(error)) return '; --target names the column to predict';
  const [, unknown] = /unknown command '(.*)'/.exec(error) ?? [];
  const meant = Object.entries(COMMANDS_ELSEWHERE).find(([, names]) => names.split(' ').includes(unknown ?? ''));
  if (meant) return `; did you mean ${meant[0]}?`;
  const [, choices] = /Allowed choices are (.*)\.$/.exec(error) ?? [];
  if (choices !== undefined) return didYouMean(word, choices.split(', '));
  // What is expected in one word is told by what the flag is for.
  const told = command.options.find(({ long }) => long === `--${name}`)?.description;
  return told === undefined ? '' : `; --${name}: ${told}`;
}

/** Where runs are kept. */
const RUNS = 'runs';

/** Options of a command that others call otherwise. */
const SCHEMAS: Readonly<Record<string, Schema>> = {
  'cross-validate': FOLDS,
  path: PATH,
  search: SEARCH,
  compress: COMPRESS,
};

/** Commands that test on what folds hold out. */
const FOLDED: readonly string[] = ['cross-validate', 'path', 'search'];

/** What other programs call the commands. */
const COMMANDS_ELSEWHERE = {
  train: 'fit learn',
  predict: 'infer score apply',
  evaluate: 'test eval validate judge',
  'cross-validate': 'cv crossvalidate cross_validate',
  search: 'tune optimize optimise sweep',
  compress: 'prune sparsify shrink',
  doctor: 'info diagnose env about check',
} as const;

const longFlagsOf = ({ options }: Command): readonly string[] =>
  options.flatMap(({ flags }) => flags.match(/(?<=--)[\w-]+/g) ?? []);

/** Says what helps behind what is wrong, once. */
const helping = (command: Command, solvers: readonly AnySolver[], terminal: Terminal): Command =>
  command.configureOutput({
    writeOut: (text) => void terminal.out(text),
    writeErr: terminal.err,
    outputError: (text, write) => {
      const [line = '', ...others] = text.split('\n');
      const hint = hintOf(line, command, solvers);
      const said = line.replace(/^error: /, 'dladmm: ');
      const rest = hint ? others.filter((each) => !each.startsWith('(Did you')) : others;
      write([hint ? said.replace(/\.$/, '') + hint : said, ...rest].join('\n'));
    },
  });

/**
 * The command line. What a command does is loaded when it runs, so that help needs no native code.
 *
 * @param end told the exit code of the command that ran
 * @param solvers those that can be trained by
 */
export function createProgram(
  terminal: Terminal,
  end: (exitCode: number) => void,
  { known, own, everything }: Solvers,
): Command {
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
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText(
      'after',
      `\nExample:\n  dladmm train customers.csv --target churned --save churn.safetensors\n${EXIT_CODES}`,
    );

  trainCommandOf(program, known, everything).action(async (...args: readonly unknown[]) => {
    const { trainCommand } = await import('./commands/train.js');
    end(await trainCommand(trainFlagsOf(args, known), own, terminal));
  });

  crossValidateCommandOf(program, known, everything).action(async (...args: readonly unknown[]) => {
    const { crossValidateCommand } = await import('./commands/choosing.js');
    end(await crossValidateCommand(trainFlagsOf(args, known), own, terminal));
  });

  pathCommandOf(program, known, everything).action(async (...args: readonly unknown[]) => {
    const { pathCommand } = await import('./commands/choosing.js');
    end(await pathCommand(trainFlagsOf(args, known), own, terminal));
  });

  searchCommandOf(program, known, everything).action(async (...args: readonly unknown[]) => {
    const { searchCommand } = await import('./commands/choosing.js');
    end(await searchCommand(trainFlagsOf(args, known), own, terminal));
  });

  packCommandOf(program).action(
    runningOn<PackFlags>(['data'], async () => (await import('./commands/pack.js')).packCommand),
  );

  const predict = program.command('predict [model] [data]').description('what a saved model says of samples');
  withData(predict, 'what to predict from', "the model's, if it is there")
    .addOption(choice('--part <part>', 'which part of a set that has two (default: test)', ['train', 'test']))
    .optionsGroup('Model and output:')
    .option('--model <file>', 'the model')
    .option('--out <file>', 'a file that ends in .csv or .npy, or - for the standard output', parse.parseOutput, '-')
    .addHelpText('after', PREDICT_HELP)
    .action(
      runningOn<PredictFlags>(['model', 'data'], async () => (await import('./commands/model.js')).predictCommand),
    );

  const evaluate = program.command('evaluate [model] [data]').description('how good a saved model is');
  withData(evaluate, 'what to judge it by', "the model's")
    .addOption(choice('--part <part>', 'which part of a set that has two (default: test)', ['train', 'test']))
    .optionsGroup('Model and output:')
    .option('--model <file>', 'the model')
    .option(
      '--importance',
      'also what each column is worth: by how much the model is worse where its values are shuffled',
    );
  withOptions(evaluate, { metric: IMPORTANCE.metric })
    .option('--json', 'the answer as JSON')
    .addHelpText('after', EVALUATE_HELP)
    .action(
      runningOn<EvaluateFlags>(['model', 'data'], async () => (await import('./commands/model.js')).evaluateCommand),
    );

  for (const command of [predict, evaluate]) {
    const drawn = command === evaluate ? 'of a random split, or of the shuffles of --importance' : 'of a random split';
    withGraph(command, 'a graph for a model of one').addOption(
      wholeOption('--seed <n>', `${drawn} (default: ${SEED})`),
    );
    showing(command, everything, [
      '--data',
      '--model',
      '--target',
      '--part',
      '--out',
      '--json',
      '--header',
      '--delimiter',
      '--decimal',
      '--graph',
    ]);
  }

  program
    .command('report')
    .description('what a saved model is, and what it takes in')
    .argument('<model>', 'the model')
    .addHelpText('after', '\nExample:\n  dladmm report churn.safetensors')
    .action(async (model: string) =>
      running<{ readonly model: string }>(async () => (await import('./commands/model.js')).reportCommand)({ model }),
    );

  compressCommandOf(program, known).action(
    runningOn<CompressFlags>(['model', 'data'], async () => (await import('./commands/compress.js')).compressCommand),
  );

  const exporting = program
    .command('export')
    .description('write a saved model as ONNX')
    .argument('<model>', 'the model')
    .requiredOption('--to <file>', 'the ONNX file')
    .addHelpText('after', '\nExample:\n  dladmm export digits.safetensors --to digits.onnx')
    .action(async (model: string, flags: Omit<ExportFlags, 'model'>) =>
      running<ExportFlags>(async () => (await import('./commands/exchange.js')).exportCommand)({ ...flags, model }),
    );
  withOptions(exporting, ONNX);

  const importing = program
    .command('import')
    .description('make a model of an ONNX file, or of the state dict of PyTorch in safetensors')
    .argument('<file>', 'the file')
    .requiredOption('--to <model>', 'the model file')
    .addHelpText(
      'after',
      `\nExamples:
  dladmm import network.onnx --to network.safetensors
  dladmm import state-dict.safetensors --activation tanh --to network.safetensors
  dladmm train --data digits --from network.safetensors --save better.safetensors`,
    )
    .action(async (file: string, flags: Omit<ImportFlags, 'file'>) =>
      running<ImportFlags>(async () => (await import('./commands/exchange.js')).importCommand)({ ...flags, file }),
    );
  const { activation, order } = STATE_DICT;
  withOptions(importing.optionsGroup('Of either:'), IMPORT);
  withOptions(importing.optionsGroup('State dicts:'), { activation, order });

  program
    .command('datasets')
    .description('the named data sets, and where they are')
    .option('--data-dir <folder>', 'look here first')
    .option('--json', 'as a JSON array')
    .addHelpText('after', '\nExamples:\n  dladmm datasets\n  dladmm datasets --json')
    .action(running<DatasetsFlags>(async () => (await import('./commands/datasets.js')).datasetsCommand));

  program
    .command('runs')
    .description('the trainings that --runs has kept: list, export or remove them')
    .argument('[folder]', 'where they are', RUNS)
    .option('--csv <folder>', 'write the numbers of every iteration here, a file a run')
    .option('--tensorboard <folder>', 'write event files for TensorBoard here, a folder a run')
    .option('--remove <ids...>', 'remove these; the beginning of an id will do')
    .option('--json', 'as a JSON array')
    .addHelpText('after', '\nExamples:\n  dladmm train digits --runs runs\n  dladmm runs\n  dladmm runs --csv tables')
    .action(async (folder: string, flags: Omit<RunsFlags, 'folder'>) =>
      running<RunsFlags>(async () => (await import('./commands/runs.js')).runsCommand)({ ...flags, folder }),
    );

  program
    .command('compare')
    .description('one page about several trainings: what they came to, options that differ, curves in the same charts')
    .argument('<runs...>', 'ids of runs, their files, or pages of --report')
    .option('--runs <folder>', 'where the ids are looked for', RUNS)
    .option('--out <file>', 'the page', 'compare.html')
    .addHelpText(
      'after',
      '\nExamples:\n  dladmm compare 20261128 20261129\n  dladmm compare a.html b.html --out both.html',
    )
    .action(async (each: readonly string[], flags: Omit<CompareFlags, 'each'>) =>
      running<CompareFlags>(async () => (await import('./commands/runs.js')).compareCommand)({ ...flags, each }),
    );

  program
    .command('doctor')
    .description('what of dladmm works on this machine, what does not, and what helps: for a bug report too')
    .option('--json', 'as a JSON object')
    .addHelpText('after', '\nExample:\n  dladmm doctor')
    .action(running<DoctorFlags>(async () => (await import('./commands/doctor.js')).doctorCommand));

  program
    .command('start')
    .description('a first look: train on Fashion-MNIST in about a minute')
    .option('--data-dir <folder>', 'look for the data here first')
    .option('--no-download', 'never fetch the data')
    .addOption(wholeOption('--epochs, --iterations <n>', 'epochs at most (default: by the number of images)'))
    .option(
      '--time-limit <seconds>',
      `begin no iteration after this time (default: ${START.timeLimit})`,
      parse.parseSeconds,
    )
    .addOption(threads())
    .option(
      '--save <file>',
      "write the model here, and a page about the training beside it (default: the data set's name, in this folder)",
    )
    .option(
      '--compare [file]',
      'measure mini-batch dlADMM, Adam and full-batch dlADMM beside each other; file keeps that',
    )
    .addHelpText(
      'after',
      `\nExamples:\n  dladmm start\n  dladmm start --compare\n  dladmm start --iterations 20 --save look.safetensors\n${EXIT_CODES}`,
    )
    .action(running<StartFlags>(async () => (await import('./commands/start.js')).startCommand));

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
      end(await (await import('./commands/bench.js')).benchCommand('complexity', args, terminal)),
    );

  for (const command of [program, ...program.commands]) helping(command, known, terminal);
  return program;
}
