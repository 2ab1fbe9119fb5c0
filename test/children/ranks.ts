/** Programs under mpirun, where there is one. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Outcome, run } from './run.js';

const MPIRUN = process.env.DLADMM_MPIRUN ?? 'mpirun';

const version = spawnSync(MPIRUN, ['--version'], { encoding: 'utf8' }).stdout ?? '';

/** What mpirun is here: '' where there is none, so that nothing is tested under it. */
export const launcher: string = version.split('\n')[0] ?? '';

const OPEN_MPI = /Open MPI|open-mpi|OpenRTE/.test(version)
  ? ['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none', '--mca', 'mpi_yield_when_idle', '1']
  : [];

/** The words that start so many processes of a command. */
export const mpirun = (ranks: number, ...command: readonly string[]): readonly string[] => [
  ...OPEN_MPI,
  '-n',
  String(ranks),
  ...command,
];

export const launch = (ranks: number, ...command: readonly string[]): Promise<Outcome> =>
  run(MPIRUN, mpirun(ranks, ...command));

/**
 * Runs a module by so many ranks; it lies in a file of its own, as launchers do not keep every text whole. So do the files `${rank}.json` that
 * it writes beside itself, in the order of the ranks.
 */
export async function launchProgram<Told>(
  ranks: number,
  body: string,
  start = (file: string): Promise<Outcome> => launch(ranks, process.execPath, file),
): Promise<Outcome & { readonly told: readonly Told[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-ranks-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'program.mjs');
  writeFileSync(file, body);
  const outcome = await start(file);
  const files = Array.from({ length: ranks }, (_, rank) => join(folder, `${rank}.json`)).filter(existsSync);
  return { ...outcome, told: files.map((each) => JSON.parse(readFileSync(each, 'utf8')) as Told) };
}
