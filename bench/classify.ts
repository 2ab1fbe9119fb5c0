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
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DlAdmmError } from 'dladmm';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { classesOf, type Limits, type Outcome, outcomeOf } from './classify/run.js';
import { GRIDS, METHODS, type Method, type Setting, settingText } from './classify/settings.js';
import { chosen, countOf } from './options.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'digits,breast-cancer' },
    depths: { type: 'string', default: '1,3' },
    methods: { type: 'string', default: METHODS.join(',') },
    seeds: { type: 'string', default: '5' },
    'tune-seeds': { type: 'string', default: '3' },
    iterations: { type: 'string', default: '100' },
    patience: { type: 'string', default: '20' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const average = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;

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

try {
  await main();
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const limits: Limits = {
    iterations: countOf(values.iterations, '--iterations'),
    patience: countOf(values.patience, '--patience'),
    threads: countOf(values.threads, '--threads'),
  };
  const seeds = countOf(values.seeds, '--seeds');
  const tuneSeeds = countOf(values['tune-seeds'], '--tune-seeds');
  const methods = chosen(values.methods, METHODS, '--methods');
  const depths = values.depths.split(',').map((depth) => countOf(depth, '--depths'));
  const out = values.out ?? fileURLToPath(new URL('../../bench/results/classify.json', import.meta.url));
  await checkWritable(out);
  const results: Result[] = [];
  for (const name of values.data.split(',')) {
    const dataset = await classesOf(name);
    for (const depth of depths) {
      for (const method of methods) {
        const outcomes = async (setting: Setting, first: number, count: number): Promise<readonly Outcome[]> => {
          const all: Outcome[] = [];
          for (let seed = first; seed < first + count; seed += 1) {
            all.push(await outcomeOf(dataset, depth, setting, seed, limits));
          }
          return all;
        };
        const tried: { setting: Setting; validation: number }[] = [];
        for (const setting of GRIDS[method]) {
          const validation = average((await outcomes(setting, 101, tuneSeeds)).map((one) => one.validation));
          tried.push({ setting, validation });
          say(`${name} ${depth} ${method} ${settingText(setting)}: ${validation.toFixed(4)}`);
        }
        const { setting } = tried.reduce((best, other) => (other.validation > best.validation ? other : best));
        const runs = await outcomes(setting, 1, seeds);
        const tests = runs.map(({ test }) => test);
        const mean = average(tests);
        results.push({
          data: name,
          depth,
          method,
          setting,
          tried,
          runs,
          mean,
          deviation: Math.sqrt(average(tests.map((test) => (test - mean) ** 2))),
          seconds: average(runs.map((one) => one.seconds)),
        });
        const text = JSON.stringify({ ...limits, seeds, tuneSeeds, results }, undefined, 1);
        await writeFileAtomic(out, new TextEncoder().encode(`${text}\n`));
      }
    }
  }
  if (values.json) console.log(JSON.stringify(results));
  else print(results);
}

function print(results: readonly Result[]): void {
  console.log('data           hidden  method        test accuracy     seconds  setting');
  for (const { data, depth, method, mean, deviation, seconds, setting } of results) {
    const accuracy = `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
    console.log(
      `${data.padEnd(15)}${String(depth).padEnd(8)}${method.padEnd(14)}${accuracy.padEnd(18)}${seconds
        .toFixed(2)
        .padStart(7)}  ${settingText(setting)}`,
    );
  }
}
