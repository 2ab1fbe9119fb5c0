/**
 * How much the settings matter: sigmoid-ADMM over its penalties β and λ, its starts and the scale of the inputs, beside SGD
 * over its learning rates, starts and scales on ReLU and sigmoid networks of the same shape.
 *
 * x² on 1-100-100-1: the mean squared error on the training points, learned where it is at most 1e-4. breast-cancer on
 * 30-100-2: the share of the test samples told wrongly, learned where it is at most 5 %. Each is the smallest over the epochs.
 * A training that meets what is not finite counts as diverged, whatever it reached before. Keeps bench/results/stability.json.
 */
import { count, file, flag, program, say, THREADS } from './harness/program.js';
import { resultFile } from './harness/results.js';
import { studyIn, upTo } from './harness/study.js';
import { outcomeOf, type Result, rowsOf, runs, tableOf } from './stability/runs.js';

const OPTIONS = { epochs: count(200), points: count(1000), seeds: count(3), threads: THREADS, out: file, anew: flag };

await program(OPTIONS, async ({ epochs, points, seeds, threads, out = resultFile('stability'), anew }) => {
  const head = { epochs, points, seeds };
  const study = await studyIn<typeof head, Result>(out, head, threads, anew);
  for (const [number, run] of runs().entries()) {
    if (study.find({ number }) !== undefined) continue;
    const { task, solver, row } = run;
    const outcomes: Result['outcomes'][number][] = [];
    for (const seed of upTo(seeds)) outcomes.push(await outcomeOf(run, seed, epochs, points, threads));
    say(`${task} ${solver} ${row.join(' ')}: ${outcomes.map(({ error }) => error?.toExponential(1) ?? 'diverged')}`);
    await study.put({ number }, { number, task, solver, row, outcomes });
  }
  const rows = rowsOf(study.now().runs);
  return { result: { ...head, rows }, text: tableOf(rows) };
});
