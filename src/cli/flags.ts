/** Flags that several commands have, and how they are put together. */
import { type Command, Option } from 'commander';
import { LABELS } from '../datasets/file.js';
import { READING } from '../datasets/frame-file.js';
import { GRAPH_SPLIT } from '../datasets/graph-split.js';
import { graphNames } from '../datasets/graphs.js';
import { datasetNames } from '../datasets/registry.js';
import { DIALECT } from '../formats/csv.js';
import * as parse from './arguments.js';
import { withOptions } from './solver-flags.js';
import type { Terminal } from './terminal.js';

export const EXIT_CODES = `
Exit codes: 0 done, 1 error, 2 usage, 130 after Ctrl-C (the model is saved first; a second Ctrl-C ends at once).`;

export const option = (flags: string, description: string): Option => new Option(flags, description);
export const wholeOption = (flags: string, description: string): Option =>
  option(flags, description).argParser(parse.parseWhole);
export const choice = (flags: string, description: string, choices: readonly string[]): Option =>
  option(flags, description).choices(choices);

/** Where samples come from; the same for every command that takes some. */
export function withData(command: Command, what: string, targetByDefault: string): Command {
  command
    .optionsGroup('Data:')
    .addOption(option('--data <name|file>', `${what}: a file, - for the standard input, or ${datasetNames.join(', ')}`))
    .option('--data-dir <folder>', 'look for named sets here first')
    .option('--no-download', 'never fetch a named set');
  const { target, ignore } = READING;
  return withOptions(command, {
    target: { ...target, otherwise: targetByDefault },
    ignore,
    ...DIALECT,
    labels: LABELS,
  });
}

/** The same for graphs; one of the two must be given. */
export function withGraph(command: Command, what: string): Command {
  command
    .optionsGroup('Graphs, in place of --data:')
    .option('--graph <name|file>', `${what}: ${graphNames.join(', ')}, or an NPZ file`)
    .addOption(
      choice('--split <kind>', 'which nodes to train and to test on (default: that of the file where it has one)', [
        'standard',
        'random',
      ]),
    )
    .option(
      '--no-row-normalize, --no-row-normalise',
      'take features as they are (default: divided by their sum, node by node)',
    );
  return withOptions(command, GRAPH_SPLIT);
}

export const threads = (): Option =>
  wholeOption('--threads <n>', 'threads; any number gives the same result, bit for bit (default: all processors)');

/**
 * Flags from arguments without a name, which stand for those of `names` that were not given, in their order.
 *
 * @param args what Commander gives an action: the arguments, the flags, the command
 */
export function named<Flags>(names: readonly string[], args: readonly unknown[]): Flags {
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
export type Run<Flags> = (flags: Flags, terminal: Terminal) => Promise<number>;

/** What is said of options that solvers declare, among those that matter. */
const BRIEF: Readonly<Record<string, string>> = {
  '--epochs': 'visits to all samples at most; --iterations of full-batch solvers (default: by the samples)',
  '--seed': 'of everything that is drawn at random (default: 1)',
};

/** Shows all options, or those that matter and how to see the others. */
export function showing(command: Command, everything: boolean, matter: readonly string[]): Command {
  if (everything) return command;
  for (const each of command.options) {
    if (!matter.includes(each.long ?? '')) each.hideHelp();
    // Which solver takes it is said with all options.
    each.description = BRIEF[each.long ?? ''] ?? each.description;
    if (each.long === '--epochs' || each.long === '--seed') each.helpGroupHeading = 'Solver:';
  }
  return command.addHelpText('after', `\nAll options: dladmm ${command.name()} --help all`);
}
