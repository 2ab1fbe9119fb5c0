/** `dladmm runs` and `dladmm compare`: trainings that are kept, and pages of them. */
import { mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { listed, refused } from '../../core/errors.js';
import { fileError, writeFileAtomic } from '../../formats/atomic-file.js';
import { aligned, numberText } from '../../judging/text.js';
import { comparison, type Shown, shownIn, shownOf } from '../../report/comparison.js';
import { PAGE } from '../../report/page-of-training.js';
import { numbersOf, readRun, readRunFile, readRuns, removeRun, type StoredRun } from '../../report/runs.js';
import { eventsOf } from '../../report/tensorboard.js';
import { checkTarget } from '../samples.js';
import type { Terminal } from '../terminal.js';
import { checkWithout } from '../without.js';
import { quoted } from './model.js';

export interface RunsFlags {
  readonly folder: string;
  readonly remove?: readonly string[];
  /** A folder for files of CSV, and one for event files. */
  readonly csv?: string;
  readonly tensorboard?: string;
  readonly json?: boolean;
}

export interface CompareFlags {
  readonly each: readonly string[];
  readonly runs: string;
  readonly out: string;
}

/** The numbers of every iteration, a line each. */
function csvOf({ records }: StoredRun): string {
  const rows = records.map((record) => new Map(numbersOf(record)));
  const names = [...new Set(['iteration', ...rows.flatMap((row) => [...row.keys()])])];
  return `${[names.map(quoted), ...rows.map((row) => names.map((name) => row.get(name) ?? ''))].join('\n')}\n`;
}

async function writeInto(folder: string, name: string, content: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => Promise.reject(fileError('write', folder, error)));
  await writeFileAtomic(join(folder, name), content);
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** `dladmm runs` @throws DlAdmmError */
export async function runsCommand(flags: RunsFlags, terminal: Terminal): Promise<number> {
  const { folder, remove, csv, tensorboard, json } = flags;
  if (remove) {
    if (csv !== undefined || tensorboard !== undefined) {
      throw refused('Expected no --csv and no --tensorboard with --remove: export the runs first, then remove them');
    }
    checkWithout(['json'], flags, '--remove', 'nothing is told');
    for (const id of remove) await removeRun(folder, id);
    return 0;
  }
  for (const to of ['csv', 'tensorboard'] as const) {
    if (flags[to] !== undefined) checkWithout(['json'], flags, `--${to}`, 'the numbers go to files');
  }
  const { runs, damaged } = await readRuns(folder);
  if (damaged.length > 0)
    terminal.err(`left out, as they are no records of runs, or were cut off: ${listed(damaged)}\n`);
  for (const run of runs) {
    const { id, began } = run.head;
    if (csv !== undefined) await writeInto(csv, `${id}.csv`, bytes(csvOf(run)));
    // TensorBoard takes each folder with a file of this name for a run.
    const file = `events.out.tfevents.${Math.floor(Date.parse(began) / 1000)}.dladmm`;
    if (tensorboard !== undefined) await writeInto(join(tensorboard, id), file, Buffer.concat([...eventsOf(run)]));
  }
  if (csv !== undefined || tensorboard !== undefined) return 0;
  const told = runs.map((run) => ({ id: run.head.id, data: run.head.name, ...shownOf(run).outcome }));
  const keys = ['id', 'data', 'status', 'iterations', 'seconds', 'loss', 'testAccuracy', 'validationAccuracy'];
  const rows = told.map((run: Readonly<Record<string, unknown>>) =>
    keys.map((key) => (typeof run[key] === 'number' ? numberText(run[key]) : String(run[key] ?? ''))),
  );
  await terminal.out(json ? `${JSON.stringify(told)}\n` : `${aligned([keys, ...rows]).join('\n')}\n`);
  return 0;
}

/** A page of ours, the record of a run, or a run of the folder. */
async function shown(of: string, folder: string): Promise<Shown> {
  if (/\.jsonl$/i.test(of)) return shownOf(await readRunFile(of));
  if (!/\.html?$/i.test(of)) return shownOf(await readRun(folder, of));
  const page = await readFile(of, 'utf8').catch((error: unknown) => Promise.reject(fileError('read', of, error)));
  return shownIn(page, basename(of));
}

/** `dladmm compare` @throws DlAdmmError */
export async function compareCommand({ each, runs, out }: CompareFlags, terminal: Terminal): Promise<number> {
  await checkTarget(out, each, PAGE);
  const all = await Promise.all(each.map((one) => shown(one, runs)));
  await writeFileAtomic(out, bytes(comparison(all)), PAGE);
  await terminal.out(`${all.length === 1 ? 'the run is' : `${all.length} runs are beside each other`} in ${out}\n`);
  return 0;
}
