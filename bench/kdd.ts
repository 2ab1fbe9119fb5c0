/**
 * The comparison methods of the KDD 2019 paper on our gradient engine: SGD, Adagrad, Adadelta and Adam, full batch, loss
 * summed over the samples, its learning rates, 784-1000-1000-10, 200 iterations, on MNIST (the first 55,000 images) and
 * Fashion-MNIST (60,000). The paper does not say where its networks begin: three starts run for 20 iterations each, and the
 * one whose training accuracy at iteration 10 is nearest to the paper's runs in full. Where one start is named, it runs in
 * full at once.
 * Keeps bench/results/kdd-DATA.json.
 */
import type { CompareCurve } from './compare/curves.js';
import { comparisonIn } from './compare/run.js';
import { count, file, layers as layersOption, maybe, program, some, text } from './harness/program.js';
import { resultFile } from './harness/results.js';
import { classesOf } from './harness/samples.js';
import { table } from './harness/table.js';

const METHODS = ['sgd', 'adagrad', 'adadelta', 'adam'] as const;
type Method = (typeof METHODS)[number];

/** The paper's learning rates. That of SGD only makes sense for a loss summed over the samples. */
const LEARNING_RATES = { sgd: 1e-6, adagrad: 1e-3, adadelta: 0.1, adam: 1e-3 };

/** The paper does not say how its networks begin. */
const STARTS = { gaussian: { gaussian: 0.1 }, he: 'he', glorot: 'glorot' } as const;
type Start = keyof typeof STARTS;

/** Training accuracy at iteration 10 and test accuracy at 195, read from the figures 4 and 5 (± .001). */
const PAPER: Readonly<Record<string, Readonly<Record<Method, readonly [train10: number, test195: number]>>>> = {
  mnist: { sgd: [0.7626, 0.937], adagrad: [0.7673, 0.946], adadelta: [0.2138, 0.9306], adam: [0.8379, 0.9747] },
  'fashion-mnist': {
    sgd: [0.6624, 0.8356],
    adagrad: [0.6939, 0.8333],
    adadelta: [0.3275, 0.8104],
    adam: [0.6371, 0.8767],
  },
};

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

await program(OPTIONS, async ({ data, methods, layers, iterations, select, starts, samples, dataDir, out }) => {
  const set = await classesOf(data, dataDir);
  const shared = { layers, evaluateEvery: 5, trainMetrics: true };
  const comparison = await comparisonIn(out ?? resultFile(`kdd-${data}`), set, samples, shared, false);
  const batches = { batchSize: comparison.samples, shuffle: false, reduction: 'sum' };
  const runOf = (solver: Method, start: Start, iterations: number): Promise<CompareCurve> => {
    const own = { solver, learningRate: LEARNING_RATES[solver], initialisation: STARTS[start] };
    return comparison.run({ name: `${solver} from ${start}`, options: { ...own, ...batches } }, iterations);
  };

  const rows: string[][] = [];
  const summary: Record<string, object> = {};
  for (const method of methods) {
    const [train10 = 1, test195] = PAPER[set.name]?.[method] ?? [];
    let [nearest, miss] = [starts[0] as Start, Number.POSITIVE_INFINITY];
    for (const start of starts.length === 1 ? [] : starts) {
      const { points } = await runOf(method, start, select);
      const { trainAccuracy = 0 } = points.find(({ iteration }) => iteration === 10) ?? {};
      const its = Math.abs(trainAccuracy - train10);
      if (its < miss) [nearest, miss] = [start, its];
    }
    const { status, points } = await runOf(method, nearest, iterations);
    const testAccuracy = points.find(({ iteration }) => iteration === 195)?.testAccuracy ?? null;
    const difference = (testAccuracy ?? 0) - (test195 ?? 0);
    summary[method] = { start: nearest, status, testAccuracy, paper: test195 ?? null, difference };
    const figures = [testAccuracy, test195, difference].map((value) => value?.toFixed(4) ?? '');
    rows.push([method, nearest, status, ...figures]);
  }
  const head = ['method', 'start', 'status', 'test at 195', 'paper', 'difference'];
  return { result: summary, text: table(head, rows) };
});
