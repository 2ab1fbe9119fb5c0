/**
 * The solvers beside each other: test accuracy and objective against iteration and against seconds, from the same start
 * on the same samples, one after the other. An iteration of a gradient method is an epoch, its objective the sum of the
 * losses that the epoch met.
 *
 * Writes bench/results/compare-DATASET.json after every iteration, so that an interrupted run leaves what it had, and
 * docs/compare-DATASET.svg at the end.
 */
import { bestOf, specificationOf, tableOf } from './compare/curves.js';
import { METHODS, type Method, type MethodName, ownSolver } from './compare/methods.js';
import { comparisonIn } from './compare/run.js';
import { draw } from './harness/figures.js';
import { count, DTYPE, file, flag, layers, maybe, program, say, some, THREADS, text, told } from './harness/program.js';
import { checkWritable, fromRoot, resultFile } from './harness/results.js';
import { classesOf } from './harness/samples.js';

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
  const { out = resultFile(`compare-${dataset}`), svg = fromRoot(`docs/compare-${dataset}.svg`), ...shared } = given;
  for (const each of [out, svg]) await checkWritable(each);
  const own = solver === undefined ? [] : [await ownSolver(solver)];
  const comparison = await comparisonIn(out, await classesOf(dataset, dataDir), samples, shared);
  for (const method of [...methods.map((name): Method => ({ name, options: METHODS[name] })), ...own]) {
    await comparison.run(method, iterations);
  }
  say(`wrote ${out}`);
  await draw(svg, specificationOf(comparison.now()));
  const { runs, ...head } = comparison.now();
  const ends = runs.map(({ method, status, points }) => [
    method,
    { status, best: bestOf(points) ?? null, last: points.at(-1) ?? null },
  ]);
  // The curves are in the file.
  return { result: { ...head, methods: Object.fromEntries(ends) }, text: tableOf(runs) };
});
