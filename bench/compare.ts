/**
 * The solvers beside each other: test accuracy and objective against iteration and against seconds, from the same start
 * on the same samples, one after the other. An iteration of a gradient method is an epoch, its objective the sum of the
 * losses that the epoch met.
 *
 * Writes bench/results/compare-DATASET.json after every iteration, so that an interrupted run leaves what it had, and
 * docs/compare-DATASET.svg at the end.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Matrix, type TrainingData, train } from 'dladmm';
import type { AnySolver } from 'dladmm/solvers';
import { specificationOf } from './compare/chart.js';
import { bestOf, type CompareCurve, type ComparePoint, type Comparison, pointOf } from './compare/curves.js';
import { METHODS, type MethodName, optionsOf, type SharedOptions } from './compare/methods.js';
import { tableOf } from './compare/table.js';
import { draw } from './harness/figures.js';
import { count, DTYPE, file, flag, layers, maybe, program, say, some, THREADS, text } from './harness/program.js';
import { checkWritable, fromRoot, keep, machine, resultFile } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';

const OPTIONS = {
  dataset: text('fashion-mnist'),
  methods: some(Object.keys(METHODS) as MethodName[]),
  /** A module that exports a solver of one's own, to be compared with these. */
  solver: file,
  iterations: count(50),
  samples: maybe(count(1)),
  layers: layers('784-1000-1000-10'),
  seed: count(1, 0),
  dtype: DTYPE,
  threads: THREADS,
  trainMetrics: flag,
  dataDir: file,
  out: file,
  svg: file,
};

await program(OPTIONS, async ({ dataset, methods, solver: own, iterations, samples, dataDir, json: _, ...given }) => {
  const { out = resultFile(`compare-${dataset}`), svg = fromRoot(`docs/compare-${dataset}.svg`), ...common } = given;
  for (const each of [out, svg]) await checkWritable(each);
  const set = await classesOf(dataset, dataDir);
  const data = { ...trainingSamples(set, samples), test: set.test };
  const comparison = (curves: readonly CompareCurve[]): Comparison => ({
    data: set.name,
    layers: common.layers.join('-'),
    samples: data.x.rows,
    seed: common.seed,
    dtype: common.dtype,
    ...machine(common.threads),
    curves,
  });
  let curves: readonly CompareCurve[] = [];
  for (const method of own === undefined ? methods : [...methods, await solverOf(own)]) {
    const done = curves;
    await run(method, data, { ...common, evaluateEvery: 1 }, iterations, async (curve) => {
      curves = [...done, curve];
      await keep(out, comparison(curves));
    });
  }
  say(`wrote ${out}`);
  await draw(svg, specificationOf(comparison(curves)));
  return { result: summary(comparison(curves)), text: tableOf(curves) };
});

/** The solver that a module exports. */
async function solverOf(path: string): Promise<AnySolver> {
  const { default: solver } = (await import(pathToFileURL(resolve(path)).href)) as { readonly default: AnySolver };
  return solver;
}

/** The curve of one method as it grows, and once more when it has ended. */
async function run(
  asked: MethodName | AnySolver,
  data: TrainingData & { readonly x: Matrix },
  common: SharedOptions,
  iterations: number,
  each: (curve: CompareCurve) => Promise<void>,
): Promise<void> {
  const method = typeof asked === 'string' ? asked : asked.name;
  const options = typeof asked === 'string' ? METHODS[asked] : { solver: method };
  const training = train(
    data,
    optionsOf(typeof asked === 'string' ? METHODS[asked] : { solver: asked }, common, iterations),
  );
  const points: ComparePoint[] = [];
  const { status, model } = await follow(training, async (record, seconds) => {
    const point = pointOf(record, seconds, data.x.rows);
    points.push(point);
    say(`${method} ${point.iteration}  ${point.testAccuracy}  ${seconds.toFixed(1)} s`);
    await each({ method, options, status: 'running', points });
  });
  model.close();
  await each({ method, options, status: status.kind, points });
}

/** One object for a program that reads: the curves are in the file. */
function summary({ curves, ...run }: Comparison) {
  const ends = (point: ComparePoint | undefined) => point ?? null;
  return {
    ...run,
    methods: Object.fromEntries(
      curves.map(({ method, status, points }) => [
        method,
        { status, best: ends(bestOf(points)), last: ends(points.at(-1)) },
      ]),
    ),
  };
}
