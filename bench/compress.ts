/**
 * What is lost where weights go: 784-300-100-10 on MNIST with 5 to 100 times fewer weights, and with neurons gone until a quarter of the
 * multiply-adds is left; where weights are of 8 or 4 bits, or powers of two. By ADMM (`compress`); by magnitude, in as many rounds; by gradual
 * magnitude pruning (Zhu and Gupta 2017, arXiv 1710.01878: s_i = s (1 − (1 − i/n)³), an epoch each), all of as many epochs; of few bits by
 * rounding alone. Time is that of one row and of 256 over float32's, size that of the file. `--crossover` tells from which share of zeros on
 * `predictSync` of a pruned network is faster than of a dense one, and nothing else.
 *
 * The last 5,000 training images are held out: they say which epoch is kept. Loss is what the accuracy on the test images falls by. Rounds, steps and penalty were
 * chosen by the validation loss on digits; the learning rate and l2 too, but after the test accuracy of a first run on MNIST had been seen. That of quantising, and
 * that its epochs are chosen by the loss, by the validation loss on adult and MNIST; for 8 bits again, after the test accuracy of a first one on adult had been seen.
 * `--dataset adult` takes the table in ../shared/datasets (`--data-dir`), a column a value.
 * Every run is kept in bench/results/compress.json (`--out`) as it ends: a call that was interrupted goes on. `--stored` prints what is there.
 */
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fit, type Matrix, Model } from 'dladmm';
import { type Compression, type CompressOptions, compress } from 'dladmm/compress';
import { count, flag, program, STUDY, say, some, text, told } from './harness/program.js';
import { seededRandom } from './harness/random.js';
import { measured, resultFile } from './harness/results.js';
import { classesOf, heldOut, randomSamples } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { combinations, studyIn, upTo } from './harness/study.js';
import { table } from './harness/table.js';
import { samplesOf } from './tabular/tables.js';

const CASES = {
  pruned5: { sparsity: 1 - 1 / 5 },
  pruned10: { sparsity: 1 - 1 / 10 },
  pruned20: { sparsity: 1 - 1 / 20 },
  pruned40: { sparsity: 1 - 1 / 40 },
  pruned60: { sparsity: 1 - 1 / 60 },
  pruned100: { sparsity: 1 - 1 / 100 },
  neurons4: { sparsity: 1 - 1 / 4, structure: 'neurons' },
  int8: { quantise: 'int8' },
  int4: { quantise: 'int4' },
  powers: { quantise: 'powers-of-two' },
} as const satisfies Readonly<Record<string, CompressOptions>>;
type Case = keyof typeof CASES;
const METHODS = ['admm', 'magnitude', 'gradual', 'rounding'] as const;
type Method = (typeof METHODS)[number];

/** What a case can be had by. */
function isOf(name: Case, method: Method): boolean {
  if (method === 'admm') return true;
  if ('quantise' in CASES[name]) return method === 'rounding';
  return method === 'magnitude' || (method === 'gradual' && name !== 'neurons4');
}

interface Pace {
  readonly rounds: number;
  readonly steps: number;
  readonly stepEpochs: number;
  readonly retrain: number;
}
type Settings = CompressOptions & { readonly learningRate?: number | (() => number) };

/** One compression after the other, all methods of as many epochs: those of an iteration of ADMM are trainings on what stays. */
function stepsOf(name: Case, method: Method, { rounds, steps, stepEpochs, retrain }: Pace): readonly Settings[] {
  const rules = CASES[name];
  const own = 'quantise' in rules && { learningRate: QUANTISING_RATES[rules.quantise] };
  if (method === 'admm') return [{ ...rules, rounds, steps, stepEpochs, retrain, ...own }];
  // Nothing moves.
  if (method === 'rounding') return [{ ...rules, rounds: 1, steps: 0, retrain: 1, learningRate: 1e-12 }];
  const more = rounds * steps * stepEpochs + (rounds - 1) * Math.ceil(retrain / 3);
  if (method === 'magnitude') {
    const longest = Array.from({ length: more + 1 }, (_, i) => retrain + i).findLast(
      (epochs) => epochs + (rounds - 1) * Math.ceil(epochs / 3) <= more + retrain,
    );
    return [{ ...rules, rounds, steps: 0, retrain: longest ?? retrain }];
  }
  const last = (rules as { readonly sparsity: number }).sparsity;
  return Array.from({ length: more + 1 }, (_, i) => ({
    ...{ sparsity: last * (1 - (1 - (i + 1) / (more + 1)) ** 3), rounds: 1, steps: 0 },
    ...(i < more ? { retrain: 1, learningRate: () => LEARNING_RATE } : { retrain }),
  }));
}

const LEARNING_RATE = 2e-3;
const QUANTISING_RATES = { int8: 3e-5, int4: 1e-4, 'powers-of-two': 1e-4 } as const;
const OPTIONS = {
  dataset: text('mnist'),
  cases: some(Object.keys(CASES) as Case[]),
  methods: some(METHODS),
  seeds: count(3),
  ...{ rounds: count(3), steps: count(3), retrain: count(12), epochs: told(count(12), 'of the dense model') },
  stored: told(flag, 'what has been run, without any run'),
  crossover: told(flag, 'how fast networks of zeros answer'),
  ...STUDY,
};

interface Run {
  readonly name: Case;
  readonly method: Method;
  readonly seed: number;
  readonly weights: number;
  readonly dense: number;
  /** Of the epoch that is kept, on what is held out. */
  readonly validation: number;
  readonly accuracy: number;
  readonly seconds: number;
  /** Of quantised ones over float32's: of one row, of 256, and of the file. */
  readonly over?: { readonly one: number; readonly many: number; readonly size: number };
}

/** The time of `small` over that of `dense` for the first rows, in turns: the median. */
function timeOver(small: Model, dense: Model, { data, columns }: Matrix, rows: number, turns = 41): number {
  const x = { data: data.subarray(0, rows * columns), rows, columns };
  const calls = Math.ceil((50 * turns) / rows);
  const took = (model: Model): number => {
    const began = performance.now();
    for (let i = 0; i < calls; i += 1) model.predictSync(x);
    return performance.now() - began;
  };
  return median(Array.from({ length: turns }, () => took(small) / took(dense)));
}

/** Of random weights a share, of 784-300-100-10 and 784-1000-1000-10: the time over that of all, of one row and of 256. */
function crossing(threads: number) {
  const DENSITIES = [1, 0.5, 0.2, 0.1, 0.05, 0.02];
  const rows = combinations({
    hidden: [
      [300, 100],
      [1000, 1000],
    ],
    size: [1, 4],
  }).flatMap(({ hidden, size }) => {
    const layers = [784, ...hidden, 10];
    const modelOf = (density: number): Model => {
      const { uniform } = seededRandom(1);
      const weights = layers.slice(1).map((width, l) => {
        const W = new Float32Array(width * (layers[l] as number));
        for (let i = 0; i < W.length; i += size) if (uniform() < density) W.fill(uniform() - 0.5, i, i + size);
        return W;
      });
      const biases = layers.slice(1).map((width) => new Float32Array(width));
      return new Model({
        network: { layers, activation: 'relu', loss: 'softmax-cross-entropy' },
        dtype: 'float32',
        weights,
        biases,
        threads,
      });
    };
    using dense = modelOf(1);
    const x = { data: randomSamples(layers, 256).x as Float32Array, rows: 256, columns: 784 };
    return DENSITIES.map((density) => {
      using small = modelOf(density);
      const [one, many] = [timeOver(small, dense, x, 1, 15), timeOver(small, dense, x, 256, 15)];
      return { layers: layers.join('-'), structure: size === 1 ? 'weights' : '1x4', density, one, many };
    });
  });
  const cells = rows.map(({ one, many, ...of }) => [...Object.values(of).map(String), one.toFixed(2), many.toFixed(2)]);
  return measured(threads, { rows }, table(['layers', 'structure', 'density', 'one row', '256 rows'], cells));
}

const samplesIn = (dataset: string, dataDir: string | undefined) =>
  dataset === 'adult' ? samplesOf(dataset, dataDir ?? '../shared/datasets') : classesOf(dataset, dataDir);

await program(OPTIONS, async ({ cases, methods, seeds, rounds, steps, retrain, threads, ...given }) => {
  const {
    dataset,
    epochs,
    dataDir,
    stored,
    crossover,
    out = resultFile(dataset === 'mnist' ? 'compress' : `compress-${dataset}`),
  } = given;
  if (crossover) return crossing(threads);
  // The same for all; a little decay takes what no pixel feeds.
  const [learningRate, l2] = [LEARNING_RATE, 1e-5];
  const head = { dataset, rounds, steps, retrain, epochs, learningRate, quantisingRates: QUANTISING_RATES, l2 };
  const study = await studyIn<typeof head, Run>(out, head, threads);
  const all = combinations({ name: cases, method: methods }).filter(({ name, method }) => isOf(name, method));
  const runs = stored ? [] : all.flatMap(({ name, method }) => upTo(seeds).map((seed) => ({ seed, name, method })));
  const missing = runs.filter((key) => study.find(key) === undefined);
  const set = missing.length > 0 ? await samplesIn(dataset, dataDir) : undefined;
  for (const key of missing) {
    const { train, test, classes } = set as NonNullable<typeof set>;
    const parts = heldOut(train, Math.ceil(train.x.rows / 12));
    const layers = [train.x.columns, 300, 100, classes.length];
    const data = { ...parts.train, validation: parts.test, test };
    const { seed, name, method } = key;
    const file = join(tmpdir(), `dladmm-${dataset}-${epochs}-${seed}.safetensors`);
    const dense = await Model.load(file).catch(async () => {
      const watched = {
        earlyStopping: { patience: epochs, metric: 'accuracy' },
        learningRateSchedule: 'cosine',
      } as const;
      const { model } = await fit(data, { solver: 'adam', layers, l2, epochs, seed, threads, ...watched });
      await model.save(file);
      return model;
    });
    const stepEpochs = Math.ceil(Math.min(50_000 / data.x.rows, 20));
    const began = performance.now();
    const found: Compression[] = [];
    for (const { learningRate: own = learningRate, ...rules } of stepsOf(name, method, {
      rounds,
      steps,
      stepEpochs,
      retrain,
    })) {
      const metric = 'quantise' in CASES[name] ? 'loss' : 'accuracy';
      const how = { threads, learningRate: own, l2, earlyStopping: { metric } } as const;
      found.push(
        await compress(found.at(-1)?.model ?? dense, data, { ...rules, seed: seed + 100 * found.length }, how),
      );
    }
    const seconds = (performance.now() - began) / 1000;
    const { model, after, history } = found.at(-1) as Compression;
    const [of, accuracy] = [found[0]?.before, after].map((each) => each?.scores.accuracy ?? 0) as [number, number];
    const validation = history.at(-1)?.validation?.accuracy ?? 0;
    const quantised = 'quantise' in CASES[name] && `${file}.small`;
    if (quantised) await model.save(quantised);
    const over = quantised && {
      ...{ one: timeOver(model, dense, test.x, 1), many: timeOver(model, dense, test.x, 256) },
      size: (await stat(quantised)).size / (await stat(file)).size,
    };
    await study.put(key, {
      ...key,
      weights: after.weights,
      dense: of,
      validation,
      accuracy,
      seconds,
      ...(over && { over }),
    });
    say(`${name} ${method} seed ${seed}: ${of} to ${accuracy}, validation ${validation}, ${seconds.toFixed(0)} s`);
  }
  const rows = all.flatMap(({ name, method }) => {
    const own = study.now().runs.filter((run) => run.name === name && run.method === method);
    const losses = own.map(({ dense, accuracy }) => dense - accuracy);
    const of = (what: 'one' | 'many' | 'size') => median(own.flatMap(({ over }) => over?.[what] ?? []));
    const over = own[0]?.over && { time: { one: of('one'), many: of('many') }, size: of('size') };
    return own.map(({ weights }) => ({ name, method, weights, loss: median(losses), losses, ...over })).slice(0, 1);
  });
  const ours = rows.flatMap(({ name, method, loss, losses, ...over }) => {
    const { time, size } = over as Partial<Readonly<Record<string, unknown>>>;
    return method === 'admm' ? [[name, { loss, seeds: losses.length, ...(time !== undefined && { time, size }) }]] : [];
  });
  const percent = (loss: number): string => `${(100 * loss).toFixed(2)} %`;
  const cells = rows.map(({ name, method, weights, loss, losses }) => [
    ...[name, method, String(weights), percent(loss), losses.map(percent).join(', ')],
  ]);
  const lines = table(['case', 'method', 'weights', 'accuracy lost', 'of each seed'], cells);
  return measured(threads, { ...Object.fromEntries(ours), rows }, lines);
});
