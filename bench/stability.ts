/**
 * How much the settings matter: sigmoid-ADMM over its penalties β and λ, its starts and the scale of the inputs, beside SGD
 * over its learning rates, starts and scales on ReLU and sigmoid networks of the same shape.
 *
 *     npm run --silent bench:stability -- [--epochs 200] [--points 1000] [--seeds 3] [--threads N] [--out FILE] [--json]
 *
 * x² on 1-100-100-1: the mean squared error on the training points, learned where it is at most 1e-4. breast-cancer on
 * 30-100-2: the share of the test samples told wrongly, learned where it is at most 5 %. Each is the smallest over the epochs.
 * A training that meets what is not finite counts as diverged, whatever it reached before. Writes
 * bench/results/stability.json after every setting, and takes up what it finds there, unless `--fresh`.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DlAdmmError } from 'dladmm';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { countOf } from './options.js';
import { type Limits, type Outcome, outcomeOf, runs } from './stability/runs.js';
import { type Result, rowsOf, tableOf } from './stability/table.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '200' },
    points: { type: 'string', default: '1000' },
    seeds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    out: { type: 'string' },
    fresh: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);

interface Kept {
  readonly epochs: number;
  readonly points: number;
  readonly seeds: number;
  readonly results: readonly Result[];
}

try {
  await main();
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const limits: Limits = {
    epochs: countOf(values.epochs, '--epochs'),
    points: countOf(values.points, '--points'),
    threads: countOf(values.threads, '--threads'),
  };
  const seeds = countOf(values.seeds, '--seeds');
  const out = values.out ?? fileURLToPath(new URL('../../bench/results/stability.json', import.meta.url));
  await checkWritable(out);
  const text = values.fresh ? undefined : await readFile(out, 'utf8').catch(() => undefined);
  const kept = text === undefined ? undefined : (JSON.parse(text) as Kept);
  const { epochs, points } = limits;
  const same = kept?.epochs === epochs && kept.points === points && kept.seeds === seeds;
  const results: Result[] = same ? [...kept.results] : [];
  // The list of runs is always the same, so what is kept is its beginning.
  for (const run of runs().slice(results.length)) {
    const outcomes: Outcome[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) outcomes.push(await outcomeOf(run, seed, limits));
    const { task, solver, row } = run;
    results.push({ task, solver, row, outcomes });
    say(`${task} ${solver} ${row.join(' ')}: ${outcomes.map(({ error }) => error?.toExponential(1) ?? 'diverged')}`);
    const now: Kept = { epochs, points, seeds, results };
    await writeFileAtomic(out, new TextEncoder().encode(`${JSON.stringify(now)}\n`));
  }
  const rows = rowsOf(results);
  console.log(values.json ? JSON.stringify({ epochs, points, seeds, rows }) : tableOf(rows));
}
