/**
 * Classification by sigmoid-ADMM with one and three hidden layers, beside Adam on ReLU networks of the same depth.
 *
 * For each data set, depth and method the setting of the grid with the highest mean validation accuracy is taken (seeds 101
 * onward, each with its own fifth of the training samples held out), then run on seeds 1 onward, each keeping the model of its
 * best validation accuracy. The test samples have no part in any choice. Writes bench/results/classify.json.
 */
import { type Limits, type Outcome, outcomeOf } from './classify/run.js';
import { GRIDS, METHODS, type Setting } from './classify/settings.js';
import { count, counts, file, program, say, some, THREADS, text as textOption } from './harness/program.js';
import { checkWritable, keep, machine, resultFile } from './harness/results.js';
import { classesOf } from './harness/samples.js';
import { mean, standardDeviation } from './harness/statistics.js';
import { inWords, table } from './harness/table.js';

const OPTIONS = {
  data: textOption('digits,breast-cancer'),
  depths: counts('1,3'),
  methods: some(METHODS),
  seeds: count(5),
  tuneSeeds: count(3),
  iterations: count(100),
  patience: count(20),
  threads: THREADS,
  out: file,
};

await program(
  OPTIONS,
  async ({ data: names, depths, methods, seeds, tuneSeeds, iterations, patience, threads, ...given }) => {
    const limits: Limits = { iterations, patience, threads };
    const out = given.out ?? resultFile('classify');
    await checkWritable(out);
    const results = [];
    for (const data of names.split(',')) {
      const dataset = await classesOf(data);
      for (const depth of depths) {
        for (const method of methods) {
          const outcomes = async (setting: Setting, first: number, count: number): Promise<readonly Outcome[]> => {
            const all: Outcome[] = [];
            for (let i = 0; i < count; i += 1)
              all.push(await outcomeOf(dataset, depth, method, setting, first + i, limits));
            return all;
          };
          const tried: { readonly setting: Setting; readonly validation: number }[] = [];
          for (const setting of GRIDS[method]) {
            const validation = mean((await outcomes(setting, 101, tuneSeeds)).map((one) => one.validation));
            tried.push({ setting, validation });
            say(`${data} ${depth} ${method} ${inWords(setting)}: ${validation.toFixed(4)}`);
          }
          const { setting } = tried.reduce((best, other) => (other.validation > best.validation ? other : best));
          const runs = await outcomes(setting, 1, seeds);
          const tests = runs.map(({ test }) => test);
          const figures = {
            mean: mean(tests),
            deviation: standardDeviation(tests),
            seconds: mean(runs.map((one) => one.seconds)),
          };
          results.push({ data, depth, method, setting, tried, runs, ...figures });
          await keep(out, { iterations, patience, seeds, tuneSeeds, ...machine(threads), results });
        }
      }
    }
    const rows = results.map(({ data, depth, method, mean, deviation, seconds, setting }) => [
      ...[data, `${depth}`, method, `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`],
      ...[seconds.toFixed(2), inWords(setting)],
    ]);
    const text = table(['data', 'hidden', 'method', 'test accuracy', 'seconds', 'setting'], rows);
    return { result: results, text };
  },
);
