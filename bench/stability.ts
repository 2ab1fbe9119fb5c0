/**
 * How much the settings matter: sigmoid-ADMM over its penalties β and λ, its starts and the scale of the inputs, beside SGD
 * over its learning rates, starts and scales on ReLU and sigmoid networks of the same shape.
 *
 * x² on 1-100-100-1: the mean squared error on the training points, learned where it is at most 1e-4. breast-cancer on
 * 30-100-2: the share of the test samples told wrongly, learned where it is at most 5 %. Each is the smallest over the epochs.
 * A training that meets what is not finite counts as diverged, whatever it reached before. Writes
 * bench/results/stability.json after every setting, and takes up what it finds there, unless `--fresh`.
 */
import { count, file, flag, program, say, THREADS } from './harness/program.js';
import { checkWritable, earlier, keep, type Machine, machine, resultFile } from './harness/results.js';
import { type Outcome, outcomeOf, runs } from './stability/runs.js';
import { type Result, rowsOf, tableOf } from './stability/table.js';

const OPTIONS = {
  epochs: count(200),
  points: count(1000),
  seeds: count(3),
  threads: THREADS,
  out: file,
  fresh: flag,
};

interface Kept extends Machine {
  readonly epochs: number;
  readonly points: number;
  readonly seeds: number;
  readonly results: readonly Result[];
}

await program(OPTIONS, async ({ epochs, points, seeds, threads, out = resultFile('stability'), fresh }) => {
  await checkWritable(out);
  const kept = fresh ? undefined : await earlier<Kept>(out);
  const same = kept?.epochs === epochs && kept.points === points && kept.seeds === seeds;
  const results: Result[] = same ? [...kept.results] : [];
  // The list of runs is always the same, so what is kept is its beginning.
  for (const run of runs().slice(results.length)) {
    const outcomes: Outcome[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) outcomes.push(await outcomeOf(run, seed, { epochs, points, threads }));
    const { task, solver, row } = run;
    results.push({ task, solver, row, outcomes });
    say(`${task} ${solver} ${row.join(' ')}: ${outcomes.map(({ error }) => error?.toExponential(1) ?? 'diverged')}`);
    await keep(out, { epochs, points, seeds, ...machine(threads), results } satisfies Kept);
  }
  const rows = rowsOf(results);
  return { result: { epochs, points, seeds, rows }, text: tableOf(rows) };
});
