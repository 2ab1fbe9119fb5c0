/**
 * What is lost where weights go: 784-300-100-10 on MNIST with 20 and 60 times fewer weights, and with neurons gone until a quarter of the
 * multiply-adds is left; where weights are of 8 or 4 bits. By ADMM (`compress`), and by magnitude: the same rounds and the same retraining
 * without the iterations of ADMM. Time is that of one row and of 256 over float32's, size that of the file.
 *
 * The last 5,000 training images are held out: they say which epoch is kept. Loss is what the accuracy on the test images falls by. Rounds, steps and penalty were
 * chosen by the validation loss on digits; the learning rate and l2 too, but after the test accuracy of a first run on MNIST had been seen.
 * Every run is kept in bench/results/compress.json (`--out`) as it ends: a call that was interrupted goes on. `--stored` prints what is there.
 */
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fit, type Matrix, Model } from 'dladmm';
import { type CompressOptions, compress } from 'dladmm/compress';
import { count, flag, program, STUDY, say, some, text, told } from './harness/program.js';
import { measured, resultFile } from './harness/results.js';
import { classesOf, heldOut } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { combinations, studyIn, upTo } from './harness/study.js';
import { table } from './harness/table.js';

const CASES = {
  pruned20: { sparsity: 1 - 1 / 20 },
  pruned60: { sparsity: 1 - 1 / 60 },
  neurons4: { sparsity: 1 - 1 / 4, structure: 'neurons' },
  int8: { quantise: 'int8' },
  int4: { quantise: 'int4' },
} as const satisfies Readonly<Record<string, CompressOptions>>;
type Case = keyof typeof CASES;
const METHODS = ['admm', 'magnitude'] as const;
const OPTIONS = {
  dataset: text('mnist'),
  cases: some(Object.keys(CASES) as Case[]),
  methods: some(METHODS),
  seeds: count(3),
  ...{ rounds: count(3), steps: count(3), retrain: count(12), epochs: told(count(12), 'of the dense model') },
  stored: told(flag, 'what has been run, without any run'),
  ...STUDY,
};

interface Run {
  readonly name: Case;
  readonly method: (typeof METHODS)[number];
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
function timeOver(small: Model, dense: Model, { data, columns }: Matrix, rows: number): number {
  const x = { data: data.subarray(0, rows * columns), rows, columns };
  const calls = Math.ceil(2000 / rows);
  const took = (model: Model): number => {
    const began = performance.now();
    for (let i = 0; i < calls; i += 1) model.predictSync(x);
    return performance.now() - began;
  };
  return median(Array.from({ length: 41 }, () => took(small) / took(dense)));
}

await program(OPTIONS, async ({ cases, methods, seeds, rounds, steps, retrain, threads, ...given }) => {
  const { dataset, epochs, dataDir, stored, out = resultFile('compress') } = given;
  // The same for both; a little decay takes what no pixel feeds.
  const [learningRate, l2] = [2e-3, 1e-5];
  const head = { dataset, rounds, steps, retrain, epochs, learningRate, l2 };
  const study = await studyIn<typeof head, Run>(out, head, threads);
  const runs = stored ? [] : combinations({ seed: upTo(seeds), name: cases, method: methods });
  const missing = runs.filter((key) => study.find(key) === undefined);
  const set = missing.length > 0 ? await classesOf(dataset, dataDir) : undefined;
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
    const rules = { ...CASES[name], seed, rounds, retrain, steps: method === 'admm' ? steps : 0 };
    const how = { threads, learningRate, l2, earlyStopping: { metric: 'accuracy' } } as const;
    const { model, before, after, history, seconds } = await compress(dense, data, rules, how);
    const [of, accuracy] = [before, after].map(({ scores }) => scores.accuracy ?? 0) as [number, number];
    const validation = history.at(-1)?.validation?.accuracy ?? 0;
    const quantised = 'quantise' in rules && `${file}.small`;
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
  const rows = combinations({ name: cases, method: methods }).flatMap(({ name, method }) => {
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
