/**
 * Classification by sigmoid-ADMM with one and three hidden layers, beside Adam on ReLU networks of the same depth.
 *
 *     npm run --silent bench:classify -- [--data digits,breast-cancer] [--depths 1,3] [--methods sigmoid-admm,adam] [--seeds 5]
 *                                        [--tune-seeds 3] [--iterations 100] [--patience 20] [--threads N] [--out FILE] [--json]
 *
 * For each data set, depth and method the setting of the grid with the highest mean validation accuracy is taken (seeds 101
 * onward, each with its own fifth of the training samples held out), then run on seeds 1 onward, each keeping the model of its
 * best validation accuracy. The test samples have no part in any choice. Writes bench/results/classify.json.
 */
import type { ClassificationDataset } from 'dladmm';
import { type Limits, type Outcome, outcomeOf } from './classify/run.js';
import { GRIDS, METHODS, type Method, type Setting, settingText } from './classify/settings.js';
import { count, file, program, say, some, THREADS, text } from './harness/program.js';
import { checkWritable, keep, machine, resultFile } from './harness/results.js';
import { classesOf } from './harness/samples.js';
import { mean, standardDeviation } from './harness/statistics.js';
import { table } from './harness/table.js';

const depth = count(1);
const OPTIONS = {
  data: text('digits,breast-cancer'),
  depths: {
    ...text('1,3'),
    read: (given: string, flag: string) => given.split(',').map((each) => depth.read(each, flag)),
  },
  methods: some(METHODS),
  seeds: count(5),
  tuneSeeds: count(3),
  iterations: count(100),
  patience: count(20),
  threads: THREADS,
  out: file,
};

interface Result {
  readonly data: string;
  readonly depth: number;
  readonly method: Method;
  readonly setting: Setting;
  /** Of every setting of the grid: the mean over the seeds. */
  readonly tried: readonly { readonly setting: Setting; readonly validation: number }[];
  readonly runs: readonly Outcome[];
  /** Of the test accuracies; the deviation in 1/N form. */
  readonly mean: number;
  readonly deviation: number;
  readonly seconds: number;
}

await program(OPTIONS, async ({ data, depths, methods, seeds, tuneSeeds, iterations, patience, threads, ...given }) => {
  const limits: Limits = { iterations, patience, threads };
  const out = given.out ?? resultFile('classify');
  await checkWritable(out);
  const results: Result[] = [];
  for (const name of data.split(',')) {
    const dataset = await classesOf(name);
    for (const depth of depths) {
      for (const method of methods) {
        results.push(await measure(name, dataset, depth, method, { seeds, tuneSeeds }, limits));
        await keep(out, { iterations, patience, seeds, tuneSeeds, ...machine(threads), results });
      }
    }
  }
  const rows = results.map(({ data, depth, method, mean, deviation, seconds, setting }) => [
    data,
    String(depth),
    method,
    `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`,
    seconds.toFixed(2),
    settingText(setting),
  ]);
  return {
    result: results,
    text: table(['data', 'hidden', 'method', 'test accuracy', 'seconds', 'setting'], rows),
  };
});

async function measure(
  data: string,
  dataset: ClassificationDataset,
  depth: number,
  method: Method,
  { seeds, tuneSeeds }: { readonly seeds: number; readonly tuneSeeds: number },
  limits: Limits,
): Promise<Result> {
  const outcomes = async (setting: Setting, first: number, count: number): Promise<readonly Outcome[]> => {
    const all: Outcome[] = [];
    for (let seed = first; seed < first + count; seed += 1) {
      all.push(await outcomeOf(dataset, depth, setting, seed, limits));
    }
    return all;
  };
  const tried: { setting: Setting; validation: number }[] = [];
  for (const setting of GRIDS[method]) {
    const validation = mean((await outcomes(setting, 101, tuneSeeds)).map((one) => one.validation));
    tried.push({ setting, validation });
    say(`${data} ${depth} ${method} ${settingText(setting)}: ${validation.toFixed(4)}`);
  }
  const { setting } = tried.reduce((best, other) => (other.validation > best.validation ? other : best));
  const runs = await outcomes(setting, 1, seeds);
  const tests = runs.map(({ test }) => test);
  return {
    data,
    depth,
    method,
    setting,
    tried,
    runs,
    mean: mean(tests),
    deviation: standardDeviation(tests),
    seconds: mean(runs.map((one) => one.seconds)),
  };
}
