/**
 * The solvers beside each other: test accuracy and objective against iteration and against seconds, from the same start
 * on the same samples, one after the other. An iteration of a gradient method is an epoch, its objective the sum of the
 * losses that the epoch met.
 *
 * Writes bench/results/compare-DATASET.json after every iteration, so that an interrupted run leaves what it had, and
 * docs/compare-DATASET.svg at the end.
 */
import { type Matrix, type TrainingData, train } from 'dladmm';
import { specificationOf } from './compare/chart.js';
import { bestOf, type CompareCurve, type ComparePoint, type Comparison, pointOf } from './compare/curves.js';
import { METHODS, type Method, type MethodName, optionsOf, ownSolver, type SharedOptions } from './compare/methods.js';
import { tableOf } from './compare/table.js';
import { draw } from './harness/figures.js';
import { count, DTYPE, file, flag, layers, maybe, program, say, some, THREADS, text, told } from './harness/program.js';
import { checkWritable, fromRoot, keep, machine, resultFile } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';

const OPTIONS = {
  dataset: text('fashion-mnist'),
  methods: some(Object.keys(METHODS) as MethodName[]),
  solver: told(file, 'a module whose default export is a solver made by defineSolver: compared too'),
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

await program(OPTIONS, async ({ dataset, methods, solver, iterations, samples, dataDir, json: _, ...given }) => {
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
  const own = solver === undefined ? [] : [await ownSolver(solver)];
  for (const method of [...methods.map((name): Method => ({ name, options: METHODS[name] })), ...own]) {
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

/** The curve of one method as it grows, and once more when it has ended. */
async function run(
  { name: method, options }: Method,
  data: TrainingData & { readonly x: Matrix },
  common: SharedOptions,
  iterations: number,
  each: (curve: CompareCurve) => Promise<void>,
): Promise<void> {
  const training = train(data, optionsOf(options, common, iterations));
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
