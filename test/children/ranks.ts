/** Programs under mpirun, where there is one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

/** Runs a module by so many ranks; it lies in a file of its own, as launchers do not keep every text whole. */
export function launchProgram(ranks: number, body: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-ranks-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'program.mjs');
  writeFileSync(file, body);
  return launch(ranks, process.execPath, file);
}
