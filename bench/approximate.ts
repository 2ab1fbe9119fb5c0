/**
 * How well functions are approximated: sigmoid-ADMM as published, the same with its hidden layers frozen, SGD and Adam on
 * ReLU networks and SGD on sigmoid networks of the depths and widths that the paper lists. The error is the mean squared
 * error over the points, the smallest over the epochs.
 *
 * Keeps bench/results/approximate-TASK.json, and draws docs/approximate.svg. `--layers` tells how much each layer adds to what the last
 * one does alone, `--kkt` how the KKT residual falls (docs/kkt.svg).
 */
import { join } from 'node:path';
import { kktSpecification, kktTable, measureKkt } from './approximate/kkt.js';
import { layerTable, measureLayers } from './approximate/layers.js';
import { layersOf, METHODS, type Settings } from './approximate/methods.js';
import { specificationOf, summaryOf, type TaskResult, tableOf } from './approximate/report.js';
import { TASKS } from './approximate/tasks.js';
import { runTrial } from './approximate/trial.js';
import { draw } from './harness/figures.js';
import { count, file, flag, maybe, program, say, some, THREADS, told } from './harness/program.js';
import { checkWritable, earlier, fromRoot, keep, machine } from './harness/results.js';
import { combinations, studyIn, upTo } from './harness/study.js';

const OPTIONS = {
  tasks: maybe(some(TASKS.map(({ name }) => name))),
  methods: some(METHODS),
  trials: maybe(count(1)),
  points: count(1000),
  epochs: maybe(count(1)),
  threads: THREADS,
  out: file,
  svg: file,
  layers: flag,
  kkt: flag,
  anew: flag,
  standardiseTargets: told(
    flag,
    'train on targets of mean 0 and deviation 1, which the paper does not speak of: into files of their own',
  ),
};

await program(OPTIONS, async ({ out = fromRoot('bench/results'), points, threads, json, ...given }) => {
  const { layers, kkt, trials = layers ? 5 : 3, epochs = kkt ? 5000 : layers ? 500 : 2000 } = given;
  const asked = given.tasks ?? (layers ? ['x2', 'uv'] : TASKS.map(({ name }) => name));
  const tasks = TASKS.filter(({ name }) => asked.includes(name));
  const { standardiseTargets } = given;
  const settings: Settings = { points, epochs, threads, standardiseTargets };
  const fileOf = (name: string): string =>
    join(out, `approximate-${name}${standardiseTargets ? '-standardised' : ''}.json`);
  const svg = given.svg ?? fromRoot(kkt ? 'docs/kkt.svg' : 'docs/approximate.svg');
  const written = kkt ? [fileOf('kkt'), svg] : layers ? [fileOf('layers')] : [svg, ...asked.map(fileOf)];
  for (const each of written) await checkWritable(each);
  if (kkt) {
    const results = await measureKkt(epochs, threads);
    await keep(fileOf('kkt'), { ...machine(threads), results });
    await draw(svg, kktSpecification(results));
    return { result: results, text: kktTable(results) };
  }
  if (layers) {
    const results = [];
    for (const task of tasks) {
      results.push(...(await measureLayers(task, trials, settings)));
      await keep(fileOf('layers'), { points, ...machine(threads), results });
    }
    return { result: results, text: layerTable(results) };
  }

  for (const task of tasks) {
    const { name, definition, judged, published } = task;
    const head = { task: name, definition, judged, points };
    const study = await studyIn<typeof head, TaskResult['runs'][number]>(fileOf(name), head, threads, given.anew);
    const methods = METHODS.filter((each) => given.methods.includes(each));
    for (const { method, seed } of combinations({ method: methods, seed: upTo(trials) })) {
      if (study.find({ method, seed, epochs }) !== undefined) continue;
      const trial = await runTrial(task, method, seed, settings);
      say(`${name} ${method} seed ${seed}: ${trial.error?.toExponential(2) ?? trial.status}`);
      await study.put({ method, seed }, { method, layers: layersOf(task, method).join('-'), ...trial });
    }
    const known = METHODS.filter((method) => study.find({ method }) !== undefined);
    const summaries = known.map((method) => summaryOf(study.now(), method, published?.[method]));
    console.log(json ? summaries.map((summary) => JSON.stringify(summary)).join('\n') : tableOf(summaries));
  }
  const all = await Promise.all(TASKS.map(({ name }) => earlier<TaskResult>(fileOf(name))));
  await draw(svg, specificationOf(all.filter((result) => result !== undefined)));
  return undefined;
});
