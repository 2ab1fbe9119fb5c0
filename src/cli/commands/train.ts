import { resolve } from 'node:path';
import { DlAdmmError, refused } from '../../core/errors.js';
import { present } from '../../core/objects.js';
import { DIALECT } from '../../formats/csv.js';
import { pick, SEED } from '../../network/schema.js';
import type { AnySolver } from '../../solvers/shared/descriptor.js';
import { checkedPlan } from '../../training/automatic.js';
import { type ResumeOptions, resumedOptions } from '../../training/checkpoint/resumed-options.js';
import { FRONT, type FrontOptions } from '../../training/options.js';
import { checkSweeps, planOf } from '../../training/plan.js';
import { reading } from '../progress.js';
import { type Place, placeOf } from '../rank.js';
import { checkOutputs } from '../run.js';
import { filesOf, type SplitFlags, trainingSource } from '../samples.js';
import type { Terminal } from '../terminal.js';
import { beginningOf } from './exchange.js';
import { checkKind, type GraphFlags } from './graph.js';
import { type GraphJob, type GraphSolverOptions, trainGraph } from './graph-training.js';
import { type Job, runTraining } from './training.js';

export interface TrainFlags extends SplitFlags, Partial<Omit<GraphFlags, 'seed'>> {
  /** What the solver is told. */
  readonly options: Readonly<Record<string, unknown>>;
  /** A name, or a file. */
  readonly solver?: string;
  readonly layers?: readonly number[];
  readonly init?: unknown;
  /** A model file. */
  readonly from?: string;
  readonly timeLimit?: number;
  readonly save?: string;
  readonly report?: string;
  readonly runs?: string;
  readonly trace?: string;
  readonly live?: boolean;
  readonly checkpoint?: string;
  readonly checkpointEvery?: number;
  readonly resume?: string;
  readonly inexact?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const given = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

/** What a training is told. */
export const optionsOf = ({ options, solver }: TrainFlags, own?: AnySolver): Job['options'] =>
  given({ ...options, solver: own ?? solver });

/** The training that is to go on, and the options that were given again. */
async function resumptionOf(flags: TrainFlags, options: Job['options']): Promise<NonNullable<Job['resume']>> {
  const { resume: path = '', inexact, target } = flags;
  const checkpoint = options.checkpoint && Object.assign({ path }, options.checkpoint);
  const again = given({ ...options, ...frontOf(flags), inexact, checkpoint }) as ResumeOptions;
  return { path, again, options: await resumedOptions(path, again), ...present({ target }) };
}

/** Without what belongs to another option. */
function checkPairs(flags: TrainFlags): void {
  const { checkpoint, checkpointEvery, resume, inexact, save, report, trace, from, init } = flags;
  if (checkpointEvery !== undefined && checkpoint === undefined && resume === undefined) {
    throw refused('Expected --checkpoint FILE with --checkpoint-every');
  }
  if (inexact && resume === undefined) throw refused('Expected --resume FILE with --inexact');
  if (from !== undefined && resume !== undefined) throw refused('Expected --from or --resume but received both');
  if (from !== undefined && init !== undefined) {
    throw refused('Expected no --init with --from, which says where parameters begin');
  }
  checkApart({ model: save, checkpoint: checkpoint ?? resume, page: report, trace });
}

/** Files that are written must not take each other's place. @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkApart(files: Readonly<Record<string, string | undefined>>): void {
  const told = Object.entries(files).flatMap(([what, path]) =>
    path === undefined ? [] : [{ what, path: resolve(path) }],
  );
  for (const [i, { what, path }] of told.entries()) {
    const other = told.slice(i + 1).find((each) => each.path === path);
    if (other === undefined) continue;
    throw refused(`Expected two different files for the ${what} and the ${other.what} but received ${path} for both`);
  }
}

/** A model has the layers that it has. */
function checkSameLayers({ from, layers }: TrainFlags, widths: readonly number[] | undefined): void {
  if (layers === undefined || widths === undefined || layers.join('-') === widths.join('-')) return;
  const text = `Expected ${widths.join('-')} for --layers, as in ${from}, but received ${layers.join('-')}`;
  throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
}

/** The options of columns and of what is held out, as they are typed; how a table is read and its target are said where it is read. */
export const frontOf = (flags: TrainFlags): FrontOptions =>
  Object.fromEntries(
    Object.entries(pick(FRONT, flags)).filter(([name]) => name !== 'target' && !Object.hasOwn(DIALECT, name)),
  );

export async function trainCommand(flags: TrainFlags, own: AnySolver | undefined, terminal: Terminal): Promise<number> {
  checkPairs(flags);
  checkKind(flags);
  const alone: Place<TrainFlags> = { flags, terminal, alike: (work) => work() };
  return trainAt(flags.options.distributed ? await placeOf(flags, terminal) : alone, optionsOf(flags, own));
}

async function trainAt({ flags, terminal, alike }: Place<TrainFlags>, told: Job['options']): Promise<number> {
  const { timeLimit, save, report, runs, trace, live, json, quiet, data, testData, labels, testLabels } = flags;
  if (flags.graph !== undefined) {
    const going = flags.resume === undefined ? undefined : await resumptionOf(flags, told);
    return trainGraph(given({ ...flags, resume: going }) as unknown as GraphJob, told as GraphSolverOptions, terminal);
  }
  const { model: from, ...beginning } = await alike(() => beginningOf(flags.from));
  checkSameLayers(flags, beginning.layers);
  const resume = flags.resume === undefined ? undefined : await alike(() => resumptionOf(flags, told));
  const options = { ...beginning, ...told, ...frontOf(flags) };
  // Before anything is read: a slip should not cost the time of loading. The widths are checked against the data later.
  const plan = resume ? planOf<never>(resume.options) : checkedPlan(options);
  if (trace !== undefined) checkSweeps(plan);
  const inputs = filesOf(data, testData, labels, testLabels);
  await alike(() => checkOutputs(flags, inputs));
  // The samples have to be split as they were.
  const seed = flags.seed ?? resume?.options.seed ?? SEED;
  const source = await alike(() =>
    reading(flags, terminal, (onBytes) =>
      trainingSource({ ...flags, onBytes, seed, known: from?.target }, terminal.signal),
    ),
  );
  return runTraining(
    given({ source, options, resume, from, timeLimit, save, report, runs, trace, live, json, quiet }) as Job,
    terminal,
  );
}
