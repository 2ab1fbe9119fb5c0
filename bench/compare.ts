/**
 * The solvers beside each other: test accuracy and objective against iteration and against seconds, from the same start
 * on the same samples, one after the other. An iteration of a gradient method is an epoch, its objective the sum of the
 * losses that the epoch met.
 *
 * Writes bench/results/NAME-DATASET.json after every iteration, then docs/compare-DATASET.svg. `bench:accuracy` has a NAME of its own
 * and no picture: the accuracy that the defaults reach at the paper's size, on MNIST (the first 55,000 images) and Fashion-MNIST; so has
 * `bench:kdd`, the comparison methods of the KDD 2019 paper with its settings.
 */
import { bestOf, specificationOf, tableOf } from './compare/curves.js';
import { METHODS, type Method, type MethodName, ownSolver } from './compare/methods.js';
import { comparisonIn } from './compare/run.js';
import { draw } from './harness/figures.js';
import { count, DTYPE, file, flag, layers, maybe, program, STUDY, say, some, text, told } from './harness/program.js';
import { checkWritable, fromRoot, resultFile } from './harness/results.js';
import { classesOf } from './harness/samples.js';

const OPTIONS = {
  name: told(text('compare'), 'of the result'),
  dataset: text('fashion-mnist'),
  methods: some(Object.keys(METHODS) as MethodName[]),
  solver: told(file, 'a module whose default export is a solver made by defineSolver: compared too'),
  iterations: count(50),
  samples: maybe(count(1)),
  layers: layers('784-1000-1000-10'),
  seed: count(1, 0),
  dtype: DTYPE,
  evaluateEvery: count(1),
  trainMetrics: flag,
  svg: file,
  ...STUDY,
};

await program(OPTIONS, async ({ name, dataset, methods, solver, iterations, samples, dataDir, json: _, ...given }) => {
  const { out = resultFile(`${name}-${dataset}`), ...more } = given;
  const { svg = name === 'compare' ? fromRoot(`docs/compare-${dataset}.svg`) : undefined, ...shared } = more;
  for (const each of [out, svg]) if (each !== undefined) await checkWritable(each);
  const own = solver === undefined ? [] : [await ownSolver(solver)];
  const comparison = await comparisonIn(out, await classesOf(dataset, dataDir), samples, shared);
  for (const method of [...methods.map((each): Method => ({ name: each, options: METHODS[each] })), ...own]) {
    await comparison.run(method, iterations);
  }
  say(`wrote ${out}`);
  if (svg !== undefined) await draw(svg, specificationOf(comparison.now()));
  const { runs, ...head } = comparison.now();
  const ends = runs.map(({ method, status, points }) => [
    method,
    { status, best: bestOf(points) ?? null, last: points.at(-1) ?? null },
  ]);
  // The curves are in the file.
  return { result: { ...head, methods: Object.fromEntries(ends) }, text: tableOf(runs) };
});
