/**
 * Classification by sigmoid-ADMM with one and three hidden layers, beside Adam on ReLU networks of the same depth.
 *
 * For each data set, depth and method the setting of the grid with the highest mean validation accuracy is taken (seeds 101
 * onward, each with its own fifth of the training samples held out), then run on seeds 1 onward, each keeping the model of its
 * best validation accuracy. The test samples have no part in any choice. Writes bench/results/classify.json.
 */
import { METHODS, settingsOf, trained } from './classify/run.js';
import { count, counts, file, program, say, some, THREADS, text } from './harness/program.js';
import { checkWritable, keep, machine, resultFile } from './harness/results.js';
import { classesOf } from './harness/samples.js';
import { mean, standardDeviation } from './harness/statistics.js';
import { combinations, upTo } from './harness/study.js';
import { inWords, table } from './harness/table.js';

const OPTIONS = {
  data: text('digits,breast-cancer'),
  depths: counts('1,3'),
  methods: some(METHODS),
  seeds: count(5),
  tuneSeeds: count(3),
  iterations: count(100),
  patience: count(20),
  threads: THREADS,
  out: file,
};

await program(OPTIONS, async ({ data: names, depths, methods, seeds, tuneSeeds, out, json: _, ...limits }) => {
  const { threads, ...ends } = limits;
  const kept = out ?? resultFile('classify');
  await checkWritable(kept);
  const results = [];
  for (const { data, depth, method } of combinations({ data: names.split(','), depth: depths, method: methods })) {
    const dataset = await classesOf(data);
    const outcomes = async (setting: object, from: number, count: number) => {
      const all = [];
      for (const i of upTo(count)) all.push(await trained(dataset, depth, method, setting, from + i, limits));
      return all;
    };
    const tried = [];
    for (const setting of settingsOf(method)) {
      const validation = mean((await outcomes(setting, 100, tuneSeeds)).map((one) => one.validation));
      tried.push({ setting, validation });
      say(`${data} ${depth} ${method} ${inWords(setting)}: ${validation.toFixed(4)}`);
    }
    const { setting } = tried.reduce((best, other) => (other.validation > best.validation ? other : best));
    const runs = await outcomes(setting, 0, seeds);
    const tests = runs.map(({ test }) => test);
    const spread = { mean: mean(tests), deviation: standardDeviation(tests) };
    const seconds = mean(runs.map((one) => one.seconds));
    results.push({ data, depth, method, setting, tried, runs, ...spread, seconds });
    await keep(kept, { ...ends, seeds, tuneSeeds, ...machine(threads), results });
  }
  const rows = results.map(({ data, depth, method, seconds, setting, ...accuracy }) => {
    const figures = [`${accuracy.mean.toFixed(4)} ± ${accuracy.deviation.toFixed(4)}`, seconds.toFixed(2)];
    return [data, `${depth}`, method, ...figures, inWords(setting)];
  });
  return { result: results, text: table(['data', 'hidden', 'method', 'test accuracy', 'seconds', 'setting'], rows) };
});
