import { crossValidate } from '../../choosing/cross-validate.js';
import { type AnyOptions, FOLDS, type FoldOptions, PATH, SEARCH } from '../../choosing/options.js';
import { type PathOptions, path } from '../../choosing/path.js';
import { type RefittedSearch, type SearchOptions, search } from '../../choosing/search.js';
import type { SearchSpace } from '../../choosing/space.js';
import type { Trial } from '../../choosing/trial.js';
import { DlAdmmError, expected, messageOf, refused } from '../../core/errors.js';
import { readBytes } from '../../formats/bytes.js';
import { isSampleFile } from '../../formats/sample-file.js';
import { METRICS, type Metric } from '../../judging/metrics.js';
import { MODEL } from '../../model/model-file.js';
import { pick, readOptions, type Schema, SEED } from '../../network/schema.js';
import { SAMPLE_SOLVERS } from '../../solvers/index.js';
import { type AnySolver, chosenSolver, schemaOf } from '../../solvers/shared/descriptor.js';
import type { EarlyStopping } from '../../solvers/shared/options.js';
import { checkedPlan, isAutomatic } from '../../training/automatic.js';
import { AUTO } from '../../training/options.js';
import type { TrainingData } from '../../training/result.js';
import { interruptionOf } from '../interruption.js';
import { type Far, reading, telling } from '../progress.js';
import { checkTarget, filesOf, trainingSource } from '../samples.js';
import type { Terminal } from '../terminal.js';
import { checkApart, frontOf, optionsOf, type TrainFlags } from './train.js';
import { arraysOptions } from './training.js';

export type CrossValidateFlags = TrainFlags & FoldOptions;

export interface SearchFlags extends TrainFlags, Omit<SearchOptions, 'seed' | 'resume'> {
  readonly resume?: string;
  /** A JSON file. */
  readonly space?: string;
}

/** What is tried where nobody says: what decides most about a network of a table. */
const SPACE = {
  hidden: [[], [32], [64, 64], [100, 100], [256, 128]],
  activation: ['relu', 'tanh'],
  l2: { draw: 'log-uniform', low: 1e-6, high: 1e-2 },
} as const satisfies SearchSpace;

/** What of it the solver has and no flag has settled. @throws DlAdmmError ERR_DLADMM_ARGUMENT where that is nothing */
function spaceBeside(told: object): SearchSpace {
  const { layers, solver, ...settled }: Readonly<Record<string, unknown>> = { ...told };
  const { activation, l2 }: Schema = isAutomatic(told)
    ? AUTO
    : schemaOf(chosenSolver(solver, SAMPLE_SOLVERS, 'samples'));
  // A solver of few activations has its own list of them.
  const activations = activation?.typed.as === 'word' ? activation.typed.words : SPACE.activation;
  const all = {
    ...(layers === undefined && { hidden: SPACE.hidden }),
    ...(activation && { activation: activations }),
    ...(l2 && { l2: SPACE.l2 }),
  };
  const left = Object.fromEntries(Object.entries(all).filter(([name]) => settled[name] === undefined));
  if (Object.keys(left).length > 0) return left;
  throw refused('Expected --space FILE, as nothing of the usual space (hidden, activation, l2) is left to try');
}

const withoutTest = ({ test: _, ...data }: TrainingData): TrainingData => data;

/** The samples, and what every training of them is told. */
async function trained(flags: TrainFlags, own: AnySolver | undefined, terminal: Terminal) {
  if (await isSampleFile(flags.data)) {
    throw expected('rows or arrays, which can be parted,', '--data', `${flags.data}, a store of samples`);
  }
  const source = await reading(flags, terminal, (onBytes) =>
    trainingSource({ ...flags, onBytes, seed: flags.seed ?? SEED, whole: true }, terminal.signal),
  );
  const data = withoutTest(source.data as TrainingData);
  const told = { ...optionsOf(flags, own), ...frontOf(flags) };
  const options = { ...told, ...(source.task && arraysOptions({ source, options: told })), ...source.front };
  return { data, options: options as AnyOptions };
}

export async function crossValidateCommand(
  flags: CrossValidateFlags,
  own: AnySolver | undefined,
  terminal: Terminal,
): Promise<number> {
  const rules = pick(FOLDS, flags);
  // Before anything is read: a slip should not cost the time of loading.
  readOptions(FOLDS, rules);
  checkedPlan({ ...optionsOf(flags, own), ...frontOf(flags) });
  const { data, options } = await trained(flags, own, terminal);
  const work = (onFold: Far) => crossValidate(data, options, { ...rules, onFold, signal: terminal.signal });
  const found = await (flags.json ? work(() => undefined) : telling(terminal, 'cross-validating', work, folds));
  await terminal.out(flags.json ? `${JSON.stringify(found)}\n` : `${found}\n`);
  return 0;
}

export type PathFlags = TrainFlags & Partial<PathOptions>;

export async function pathCommand(flags: PathFlags, own: AnySolver | undefined, terminal: Terminal): Promise<number> {
  const { save, json, options: typed } = flags;
  // What a strength is judged by is not what has to improve in each training.
  const { earlyStopping: { metric = 'loss', ...stopping } = {}, ...rest } = typed as { earlyStopping?: EarlyStopping };
  const watching = Object.keys(stopping).length > 0 && { earlyStopping: stopping };
  const rules = { ...pick(PATH, flags), metric } as PathOptions;
  readOptions(PATH, rules);
  if (save !== undefined) await checkTarget(save, filesOf(flags.data), MODEL);
  const { data, options } = await trained({ ...flags, options: { ...rest, ...watching } }, own, terminal);
  const work = (onFold: Far) =>
    path(data, options, { ...rules, onFold, refit: save !== undefined, signal: terminal.signal });
  const found = await (json ? work(() => undefined) : telling(terminal, 'trying strengths', work, folds));
  if (save !== undefined) await found.model?.save(save);
  void found.model?.close();
  await terminal.out(json ? `${JSON.stringify({ ...found, model: undefined })}\n` : `${found}\n`);
  return 0;
}

/** @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT */
async function spaceIn(path: string, signal: AbortSignal): Promise<SearchSpace> {
  const bytes = await readBytes(path, signal);
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as SearchSpace;
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `${path} is no JSON: ${messageOf(cause)}`, { cause });
  }
}

const folds = (count: number): string => `${count} ${count === 1 ? 'fold' : 'folds'}`;

const trialText = (metric: Metric, { number, value, samples, options }: Trial): string =>
  `trial ${number}: ${value === undefined ? 'diverged' : `${METRICS[metric].title} ${value.toPrecision(4)}`} on ${samples} samples, ${JSON.stringify(options)}\n`;

export async function searchCommand(
  flags: SearchFlags,
  own: AnySolver | undefined,
  terminal: Terminal,
): Promise<number> {
  const { save, json, quiet, options: typed } = flags;
  // What is to be best is not what has to improve in each training.
  const { earlyStopping: { metric = 'loss', ...stopping } = {}, ...rest } = typed as { earlyStopping?: EarlyStopping };
  const watching = Object.keys(stopping).length > 0 && { earlyStopping: stopping };
  const space =
    flags.space === undefined
      ? spaceBeside({ ...optionsOf(flags, own), ...frontOf(flags) })
      : await spaceIn(flags.space, terminal.signal);
  readOptions(SEARCH, pick(SEARCH, flags));
  checkApart({ model: save, 'trials (--resume)': flags.resume });
  if (save !== undefined) await checkTarget(save, filesOf(flags.data), MODEL);
  const { target = space.target } = flags;
  const told = { ...flags, ...(target !== undefined && { target }), options: { ...rest, ...watching } } as TrainFlags;
  const { data, options } = await trained(told, own, terminal);
  const rules = { ...pick(SEARCH, flags), signal: terminal.signal, metric, refit: save !== undefined };
  const tried = { ...space, ...options } as SearchSpace;
  const found = await (quiet
    ? search(data, tried, rules)
    : telling(
        terminal,
        'searching',
        (onFold, say) => search(data, tried, { ...rules, onFold, onTrial: (trial) => say(trialText(metric, trial)) }),
        folds,
      ));
  const { best, trials: all, status } = found;
  if (save !== undefined && status !== 'aborted') {
    using model = (found as RefittedSearch).model;
    await model.save(save);
  }
  await terminal.out(json ? `${JSON.stringify({ metric, best, trials: all, status })}\n` : `${found}\n`);
  return interruptionOf(terminal.signal)?.exitCode ?? 0;
}
