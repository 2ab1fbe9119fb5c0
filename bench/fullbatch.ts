/**
 * Full batch: variable-metric ADMM and Adam, each on all samples at once, by the test accuracy at the end of their iterations.
 *
 * Every method has the same number of trials. A trial is trained on the samples without the last `--held-out` of them and judged
 * on these; the best is trained on all, once for every seed, and judged on the test images, which nothing is chosen by.
 * Every run is kept in bench/results/fullbatch-DATA.json as it ends: a call that was interrupted goes on.
 */
import { type TrainOptions, train } from 'dladmm';
import { count, layers, program, STUDY, say, some, text } from './harness/program.js';
import { resultFile } from './harness/results.js';
import { classesOf, follow, heldOut, trainingSamples } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { combinations, studyIn, upTo } from './harness/study.js';

/** As JSON holds it. */
type Settings = Readonly<Record<string, number | boolean>>;

/** What is tried, the likeliest first. */
const TRIALS = {
  'variable-metric-admm': combinations<Settings>({ damping: [100, 30, 300], outputDamping: [0.3, 0.1] }),
  adam: combinations<Settings>({ learningRate: [3e-3, 1e-3, 1e-2], cosine: [true, false] }),
} as const;
type Solver = keyof typeof TRIALS;

interface Run {
  readonly solver: Solver;
  readonly settings: Settings;
  readonly iterations: number;
  readonly seed: number;
  readonly judgedOn: 'validation' | 'test';
  readonly accuracy: number;
  readonly seconds: number;
}

const OPTIONS = {
  data: text('mnist'),
  samples: count(60_000),
  heldOut: count(5000),
  layers: layers('784-1000-1000-10'),
  methods: some(Object.keys(TRIALS) as Solver[]),
  iterations: count(60),
  adamIterations: count(200),
  trials: count(6),
  seeds: count(5),
  ...STUDY,
};

/** The options of a run; of Adam's cosine, the rate falls along half a wave to 0. */
function optionsOf(solver: Solver, { cosine, ...settings }: Settings, iterations: number, samples: number): object {
  if (solver !== 'adam') return { solver, ...settings, iterations };
  const rate = Number(settings.learningRate);
  const learningRate = cosine
    ? ({ epoch }: { readonly epoch: number }) => (rate / 2) * (1 + Math.cos((Math.PI * (epoch - 1)) / iterations))
    : rate;
  return { solver, learningRate, batchSize: samples, shuffle: false, epochs: iterations };
}

await program(
  OPTIONS,
  async ({ data: name, samples, heldOut: held, layers: widths, methods, trials, seeds, threads, ...given }) => {
    const { iterations, adamIterations, dataDir, out = resultFile(`fullbatch-${name}`) } = given;
    const set = await classesOf(name, dataDir);
    const all = trainingSamples(set, samples);
    const judged = { validation: heldOut(all, held), test: { train: all, test: set.test } };
    const head = { data: name, layers: widths.join('-'), samples: all.x.rows, heldOut: held };
    const study = await studyIn<typeof head, Run>(out, head, threads);

    /** A run, or what the file has of it. */
    async function run(of: Omit<Run, 'accuracy' | 'seconds'>): Promise<Run> {
      const known = study.find(of);
      if (known !== undefined) return known;
      const { train: own, test: judges } = judged[of.judgedOn];
      const common = { layers: widths, seed: of.seed, threads, evaluateEvery: of.iterations };
      const options = { ...common, ...optionsOf(of.solver, of.settings, of.iterations, own.x.rows) };
      let seconds = 0;
      const { model } = await follow(train({ ...own, test: judges }, options as TrainOptions), (_, until) => {
        seconds = until;
      });
      const { accuracy = Number.NaN } = await model.evaluate(judges);
      model.close();
      const found = { ...of, accuracy, seconds };
      await study.put(of, found);
      const { solver, settings, seed, judgedOn } = of;
      say(`${solver} ${JSON.stringify(settings)} seed ${seed}: ${judgedOn} ${accuracy}, ${seconds.toFixed(1)} s`);
      return found;
    }

    const found = [];
    for (const solver of methods) {
      const own = { solver, iterations: solver === 'adam' ? adamIterations : iterations };
      const tried: Run[] = [];
      for (const settings of TRIALS[solver].slice(0, trials))
        tried.push(await run({ ...own, settings, seed: 1, judgedOn: 'validation' }));
      const { settings } = tried.reduce((best, other) => (other.accuracy > best.accuracy ? other : best));
      const runs: Run[] = [];
      for (const seed of upTo(seeds)) runs.push(await run({ ...own, settings, seed, judgedOn: 'test' }));
      const scores = runs.map(({ accuracy }) => accuracy);
      found.push({
        ...{ solver, settings, trials: tried.length, seeds, iterations: own.iterations },
        testAccuracy: { median: median(scores), min: Math.min(...scores), max: Math.max(...scores) },
        seconds: median(runs.map(({ seconds }) => seconds)),
      });
    }
    const { runs: _, ...told } = study.now();
    const lines = found.map(
      ({ solver, settings, iterations: count, testAccuracy: { median: middle, min, max }, seconds }) =>
        `${solver.padEnd(21)} ${count} iterations  ${middle.toFixed(4)} (${min.toFixed(4)}–${max.toFixed(4)})  ${seconds.toFixed(1)} s  ${JSON.stringify(settings)}`,
    );
    return {
      result: { ...told, methods: found },
      text: [`${name}, ${head.layers}, ${head.samples} samples`, ...lines].join('\n'),
    };
  },
);
