/**
 * The comparison methods of the KDD 2019 paper on our gradient engine: SGD, Adagrad, Adadelta and Adam, full batch, loss
 * summed over the samples, its learning rates, 784-1000-1000-10, 200 iterations, on MNIST (the first 55,000 images) and
 * Fashion-MNIST (60,000). The paper does not say where its networks begin: three starts run for 20 iterations each, and the
 * one whose training accuracy at iteration 10 is nearest to the paper's runs in full. Where one start is named, it runs in
 * full at once.
 *
 * Writes bench/results/kdd-DATA.json as it goes; what it already holds is not run again.
 */
import { train } from 'dladmm';
import type { GradientOptions } from 'dladmm/solvers';
import { availableThreads } from './harness/internals.js';
import { count, file, layers as layersOption, maybe, program, say, some, text } from './harness/program.js';
import { resultFile } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';
import { type Study, studyIn } from './harness/study.js';
import { table } from './harness/table.js';
import { LEARNING_RATES, METHODS, type Method, PAPER, STARTS, type Start } from './kdd/paper.js';

const OPTIONS = {
  data: text('mnist'),
  methods: some(METHODS),
  layers: layersOption('784-1000-1000-10'),
  iterations: count(200),
  select: count(20),
  starts: some(Object.keys(STARTS) as Start[]),
  samples: maybe(count(1)),
  dataDir: file,
  out: file,
};

interface Run {
  readonly method: Method;
  readonly start: Start;
  readonly iterations: number;
  readonly status: string;
  /** Every fifth iteration, as the paper draws its curves. */
  readonly points: readonly Point[];
}

interface Point {
  readonly iteration: number;
  readonly seconds: number;
  readonly testAccuracy: number;
  readonly trainAccuracy: number;
}

export type KddResult = Study<{ readonly data: string; readonly layers: string; readonly samples: number }, Run>;

await program(OPTIONS, async ({ data: name, methods, layers, iterations, select, starts, samples, ...given }) => {
  const set = await classesOf(name, given.dataDir);
  const data = { ...trainingSamples(set, samples), test: set.test };
  const head = { data: set.name, layers: layers.join('-'), samples: data.x.rows };
  const file = given.out ?? resultFile(`kdd-${name}`);
  const study = await studyIn<typeof head, Run>(file, head, availableThreads());

  /** The run of a start for so many iterations; what it has reached is kept on the way. */
  const runOf = async (method: Method, start: Start, iterations: number): Promise<Run> => {
    const key = { method, start, iterations };
    const known = study.find({ ...key, status: 'completed' });
    if (known !== undefined) return known;
    const options = {
      solver: method,
      layers,
      learningRate: LEARNING_RATES[method],
      initialisation: STARTS[start],
      batchSize: data.x.rows,
      shuffle: false,
      reduction: 'sum',
      epochs: iterations,
      evaluateEvery: 5,
      trainMetrics: true,
    } as GradientOptions;
    const points: Point[] = [];
    const { model, status } = await follow(train(data, options), async ({ iteration, test, train: own }, seconds) => {
      if (test === undefined) return;
      const [testAccuracy, trainAccuracy] = [test.accuracy ?? Number.NaN, own?.accuracy ?? Number.NaN];
      points.push({ iteration, seconds, testAccuracy, trainAccuracy });
      say(`${method} from ${start} ${iteration}  train ${trainAccuracy}  test ${testAccuracy}`);
      await study.put(key, { ...key, status: 'running', points });
    });
    model.close();
    const run = { ...key, status: status.kind, points };
    await study.put(key, run);
    return run;
  };

  for (const method of methods) {
    const [only] = starts;
    const selected = starts.length === 1 ? [] : await inTurn(starts, (start) => runOf(method, start, select));
    const paper = PAPER[set.name]?.[method].train10 ?? 1;
    const miss = ({ points }: Run): number =>
      Math.abs((points.find(({ iteration }) => iteration === 10)?.trainAccuracy ?? 0) - paper);
    const nearest = selected.toSorted((left, right) => miss(left) - miss(right))[0]?.start ?? only;
    if (nearest !== undefined) await runOf(method, nearest, iterations);
  }
  const summary = summaryOf(study.now());
  const shown = (value: number | null): string => value?.toFixed(4) ?? '';
  const rows = Object.entries(summary).map(([method, { start, status, testAccuracy, paper, difference }]) => [
    method,
    start,
    status,
    ...[testAccuracy, paper, difference].map(shown),
  ]);
  const head195 = ['method', 'start', 'status', 'test at 195', 'paper', 'difference'];
  return { result: summary, text: table(head195, rows) };
});

async function inTurn<T, R>(list: readonly T[], work: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const each of list) results.push(await work(each));
  return results;
}

/** Each method's longest run: its test accuracy at 195 beside the paper's. */
function summaryOf({ data, runs }: KddResult) {
  const entries = runs
    .toSorted((left, right) => left.iterations - right.iterations)
    .map(({ method, start, points, status }) => {
      const testAccuracy = points.find(({ iteration }) => iteration === 195)?.testAccuracy ?? null;
      const paper = PAPER[data]?.[method].test195 ?? null;
      return [method, { start, status, testAccuracy, paper, difference: (testAccuracy ?? 0) - (paper ?? 0) }] as const;
    });
  return Object.fromEntries(entries);
}
