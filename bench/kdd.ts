/**
 * The comparison methods of the KDD 2019 paper on our gradient engine: SGD, Adagrad, Adadelta and Adam, full batch, loss
 * summed over the samples, its learning rates, 784-1000-1000-10, 200 iterations, on MNIST (the first 55,000 images) and
 * Fashion-MNIST (60,000). The paper does not say where its networks begin: three starts run for 20 iterations each, and the
 * one whose training accuracy at iteration 10 is nearest to the paper's runs in full. Where one start is named, it runs in
 * full at once.
 *
 *     npm run --silent bench:kdd -- --data mnist|fashion-mnist [--methods sgd,adagrad,adadelta,adam] [--iterations 200]
 *                                   [--select 20] [--starts gaussian,he,glorot] [--samples M] [--layers …] [--data-dir FOLDER] [--out FILE] [--json]
 *
 * Writes bench/results/kdd-DATA.json after every iteration; what it already holds is not run again.
 */
import { availableParallelism } from 'node:os';
import { type GradientOptions, train } from 'dladmm';
import { count, file, layers as layersOption, maybe, program, say, some, text } from './harness/program.js';
import { earlier, keep, type Machine, machine, resultFile } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';
import { table } from './harness/table.js';
import { LEARNING_RATES, METHODS, type Method, PAPER, type PaperCurve, STARTS, type Start } from './kdd/paper.js';

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

interface Point {
  readonly iteration: number;
  readonly seconds: number;
  readonly testAccuracy: number;
  /** Every fifth iteration, as the paper draws its curves. */
  readonly trainAccuracy?: number;
}

interface MethodResult {
  /** The first iterations from every start. */
  readonly starts: Partial<Record<Start, readonly Point[]>>;
  readonly start?: Start;
  readonly points?: readonly Point[];
  readonly status?: string;
}

/** As `bench/results` keeps it. */
export interface KddResult extends Machine {
  readonly data: string;
  readonly layers: string;
  readonly samples: number;
  readonly methods: Partial<Record<Method, MethodResult>>;
}

await program(
  OPTIONS,
  async ({ data: name, methods, layers, iterations, select, starts, samples, dataDir, ...given }) => {
    const out = given.out ?? resultFile(`kdd-${name}`);
    const set = await classesOf(name, dataDir);
    const data = { ...trainingSamples(set, samples), test: set.test };
    const fresh = { data: set.name, layers: layers.join('-'), samples: data.x.rows };
    const found = await earlier<KddResult>(out);
    const same = found?.data === fresh.data && found.layers === fresh.layers && found.samples === fresh.samples;
    let result: KddResult = same ? found : { ...fresh, ...machine(availableParallelism()), methods: {} };

    const put = async (method: Method, change: Partial<MethodResult>): Promise<MethodResult> => {
      const kept: MethodResult = { ...(result.methods[method] ?? { starts: {} }), ...change };
      result = { ...result, methods: { ...result.methods, [method]: kept } };
      await keep(out, result);
      return kept;
    };

    const run = async (method: Method, start: Start, epochs: number, each: (point: Point) => unknown) => {
      const options = {
        solver: method,
        layers,
        learningRate: LEARNING_RATES[method],
        batchSize: data.x.rows,
        shuffle: false,
        reduction: 'sum',
        initialisation: STARTS[start],
        epochs,
        evaluateEvery: 5,
        trainMetrics: true,
      } as GradientOptions;
      const { model, status } = await follow(train(data, options), async ({ iteration, test, train }, seconds) => {
        if (test === undefined) return;
        const trained = train?.accuracy;
        const testAccuracy = test.accuracy ?? Number.NaN;
        await each({ iteration, seconds, testAccuracy, ...(trained !== undefined && { trainAccuracy: trained }) });
        say(`${method} from ${start} ${iteration}  train ${trained}  test ${testAccuracy}`);
      });
      model.close();
      return status.kind;
    };

    const measure = async (method: Method): Promise<void> => {
      const paper = PAPER[set.name]?.[method];
      let known = result.methods[method] ?? { starts: {} };
      for (const start of starts) {
        if (starts.length === 1 || known.starts[start] !== undefined) continue;
        const points: Point[] = [];
        await run(method, start, select, (point) => points.push(point));
        known = await put(method, { starts: { ...known.starts, [start]: points } });
      }
      const [only] = starts;
      const start = starts.length === 1 && only !== undefined ? only : (known.start ?? nearest(known.starts, paper));
      if ((known.points?.at(-1)?.iteration ?? 0) >= iterations) return;
      const points: Point[] = [];
      const status = await run(method, start, iterations, async (point) => {
        points.push(point);
        if (point.iteration % 10 === 0) await put(method, { start, points });
      });
      await put(method, { start, points, status });
    };

    for (const method of methods) await measure(method);
    const summary = summaryOf(result);
    const shown = (value: number | null): string => value?.toFixed(4) ?? '';
    const text = table(
      ['method', 'start', 'status', 'test at 195', 'paper', 'difference'],
      Object.entries(summary).map(([method, { start = '', status = '', testAccuracy, paper, difference }]) => [
        method,
        start,
        status,
        shown(testAccuracy),
        shown(paper),
        shown(difference),
      ]),
    );
    return { result: summary, text };
  },
);

/** The start whose training accuracy at iteration 10 is nearest to the paper's. */
function nearest(starts: MethodResult['starts'], paper: PaperCurve | undefined): Start {
  const miss = (start: Start): number =>
    Math.abs((starts[start]?.find(({ iteration }) => iteration === 10)?.trainAccuracy ?? 0) - (paper?.train10 ?? 1));
  return (Object.keys(STARTS) as Start[]).reduce((best, start) => (miss(start) < miss(best) ? start : best));
}

/** Each method's test accuracy at 195 beside the paper's. */
const summaryOf = ({ data, methods }: KddResult) =>
  Object.fromEntries(
    Object.entries(methods).map(([method, { start, points = [], status }]) => {
      const testAccuracy = points.find(({ iteration }) => iteration === 195)?.testAccuracy ?? null;
      const paper = PAPER[data]?.[method as Method]?.test195 ?? null;
      return [method, { start, status, testAccuracy, paper, difference: (testAccuracy ?? 0) - (paper ?? 0) }];
    }),
  );
