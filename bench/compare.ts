/**
 * The solvers beside each other: test accuracy and objective against iteration and against seconds, from the same start
 * on the same samples, one after the other. An iteration of a gradient method is an epoch, its objective the sum of the
 * losses that the epoch met.
 *
 * Writes bench/results/NAME-DATASET.json after every iteration, then docs/compare-DATASET.svg. A method that is there to its end is not run again, unless
 * `--anew`. `bench:accuracy` has a NAME of its own
 * and no picture: the accuracy that the defaults reach at the paper's size, on MNIST (the first 55,000 images) and Fashion-MNIST; so has
 * `bench:kdd`, the comparison methods of the KDD 2019 paper with its settings.
 */
import { train } from 'dladmm';
import { bestOf, type CompareCurve, type ComparePoint, pointOf, specificationOf, tableOf } from './compare/curves.js';
import { METHODS, type Method, optionsOf, ownSolver } from './compare/methods.js';
import { draw } from './harness/figures.js';
import { count, DTYPE, file, flag, layers, maybe, program, STUDY, say, some, text, told } from './harness/program.js';
import { checkWritable, fromRoot, resultFile } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';
import { studyIn } from './harness/study.js';

const OPTIONS = {
  ...{
    name: told(text('compare'), 'of the result'),
    dataset: text('fashion-mnist'),
    methods: some(Object.keys(METHODS)),
  },
  solver: told(file, 'a module whose default export is a solver made by defineSolver: compared too'),
  ...{ iterations: count(50), samples: maybe(count(1)), layers: layers('784-1000-1000-10'), seed: count(1, 0) },
  ...{ dtype: DTYPE, evaluateEvery: count(1), trainMetrics: flag, svg: file, anew: flag },
  ...STUDY,
};

await program(OPTIONS, async ({ name, dataset, methods, solver, iterations, samples, dataDir, json: _, ...given }) => {
  const { out = resultFile(`${name}-${dataset}`), anew, ...more } = given;
  const { svg = name === 'compare' ? fromRoot(`docs/compare-${dataset}.svg`) : undefined, ...shared } = more;
  for (const each of [out, svg]) if (each !== undefined) await checkWritable(each);
  const own = solver === undefined ? [] : [await ownSolver(solver)];
  const { layers, seed, dtype, threads, evaluateEvery, trainMetrics } = shared;
  const set = await classesOf(dataset, dataDir);
  const data = { ...trainingSamples(set, samples), test: set.test };
  const sizes = { data: set.name, layers: layers.join('-'), samples: data.x.rows };
  const its = { ...sizes, seed, dtype, evaluateEvery, trainMetrics };
  const study = await studyIn<typeof its, CompareCurve>(out, its, threads, anew);
  const all = [...methods.map((each): Method => ({ name: each, options: METHODS[each] as object })), ...own];
  const keys = all.map(({ name: method, options }) => ({ method, options, iterations }));
  for (const key of keys) {
    const { method, options } = key;
    // What another file says of a solver may have changed.
    if (method in METHODS && study.find(key)?.status === 'completed') continue;
    const points: ComparePoint[] = [];
    const { status, model } = await follow(train(data, optionsOf(options, shared, iterations)), async (record, so) => {
      if (record.test === undefined) return;
      points.push(pointOf(record, so, data.x.rows));
      say(`${method} ${record.iteration}  ${record.test.accuracy}  ${so.toFixed(1)} s`);
      await study.put(key, { ...key, status: 'running', points });
    });
    model.close();
    await study.put(key, { ...key, status: status.kind, points });
  }
  say(`wrote ${out}`);
  const head = study.now();
  const runs = keys.flatMap((key) => study.find(key) ?? []);
  if (svg !== undefined) await draw(svg, specificationOf({ ...head, runs }));
  const ends = runs.map(({ method, status, points }) => [
    method,
    { status, best: bestOf(points) ?? null, last: points.at(-1) ?? null },
  ]);
  // The curves are in the file.
  return { result: { ...head, runs: undefined, methods: Object.fromEntries(ends) }, text: tableOf(runs) };
});
