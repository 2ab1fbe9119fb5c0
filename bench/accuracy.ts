/**
 * The accuracy that the defaults reach, at the paper's size: 784-1000-1000-10, at most 200 full-batch iterations, on MNIST
 * (the first 55,000 images) and Fashion-MNIST (60,000).
 *
 * Writes the curve as JSON after every iteration, so that an interrupted run leaves what it had; bench:figures draws it.
 */
import { train } from 'dladmm';
import type { DladmmOptions, IterationRecord } from 'dladmm/solvers';
import { availableThreads } from './harness/internals.js';
import { count, file, layers as layersOption, program, text as textOption } from './harness/program.js';
import { keep, machine } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';

const OPTIONS = {
  data: textOption('fashion-mnist'),
  layers: layersOption('784-1000-1000-10'),
  iterations: count(200),
  seed: count(1, 0),
  dataDir: file,
  options: textOption('{}'),
  out: file,
};

/** A whole run, as `bench/results` keeps it. Norms are squared and summed over the samples. */
export interface Curve {
  readonly data: string;
  readonly points: readonly ReturnType<typeof pointOf>[];
}

await program(OPTIONS, async ({ data: name, layers, iterations, seed, dataDir, options: own, out, json }) => {
  const set = await classesOf(name, dataDir);
  const options = JSON.parse(own) as Partial<DladmmOptions>;
  const samples = trainingSamples(set);
  const training = train({ ...samples, test: set.test }, { layers, iterations, seed, ...options });
  const head = {
    data: set.name,
    layers: layers.join('-'),
    samples: samples.x.rows,
    seed,
    options,
    ...machine(options.threads ?? availableThreads()),
  };
  const points: ReturnType<typeof pointOf>[] = [];
  const ends = () => {
    const [best, last] = [points.toSorted((left, right) => right.testAccuracy - left.testAccuracy)[0], points.at(-1)];
    const end = (point = last) => ({ iteration: point?.iteration, testAccuracy: point?.testAccuracy });
    return { best: end(best), last: end() };
  };
  await follow(training, async (record) => {
    points.push(pointOf(record));
    if (!json) console.log(line(record));
    if (out !== undefined) await keep(out, { ...head, ...ends(), points } satisfies Curve);
  });
  const { best, last } = ends();
  const text = `best test accuracy ${best.testAccuracy} at iteration ${best.iteration}, last ${last.testAccuracy}`;
  return { result: { ...head, best, last }, text };
});

function pointOf({ iteration, lagrangian, residuals, seconds, test }: IterationRecord) {
  return { iteration, lagrangian, residuals, seconds, testAccuracy: test?.accuracy ?? Number.NaN };
}

function line({ iteration, lagrangian, residuals, test, seconds }: IterationRecord): string {
  const residual = Math.sqrt(residuals.at(-1) ?? 0);
  return `${iteration}  L ${lagrangian.toPrecision(5)}  |r_L| ${residual.toPrecision(4)}  test ${test?.accuracy}  ${seconds.toFixed(2)} s`;
}
