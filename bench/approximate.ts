/**
 * How well functions are approximated: sigmoid-ADMM as published, the same with its hidden layers frozen, SGD and Adam on
 * ReLU networks and SGD on sigmoid networks of the depths and widths that the paper lists. The error is the mean squared
 * error over the points, the smallest over the epochs.
 *
 *     npm run --silent bench:approximate -- [--tasks x2,uv,l1-radial,l2-radial] [--methods admm,frozen,sgd,adam,sgd-sigmoid]
 *                                           [--trials 3] [--points 1000] [--epochs 2000] [--threads N] [--out FOLDER]
 *                                           [--svg FILE] [--fresh] [--json]
 *     npm run --silent bench:approximate -- --layers [--tasks x2,uv] [--trials 5] [--epochs 500]
 *     npm run --silent bench:approximate -- --kkt [--epochs 5000]
 *
 * Writes bench/results/approximate-TASK.json after every trial and docs/approximate.svg at the end. A trial that is there
 * already, with the same seed, points and epochs, is not run again, so a long run may be stopped and resumed; `--fresh`
 * begins anew. `--layers` tells how much each layer adds to what the last one does alone, `--kkt` how the
 * KKT residual falls (docs/kkt.svg).
 */
import { join } from 'node:path';
import { specificationOf } from './approximate/chart.js';
import { kktSpecification, kktTable, measureKkt } from './approximate/kkt.js';
import { layerTable, measureLayers } from './approximate/layers.js';
import { layersOf, METHODS, type Settings } from './approximate/methods.js';
import { HEAD, lineOf, summaryOf, type TaskResult, withTrial } from './approximate/result.js';
import { TASKS, type Task } from './approximate/tasks.js';
import { runTrial } from './approximate/trial.js';
import { draw } from './harness/figures.js';
import { count, file, flag, maybe, program, say, some, THREADS } from './harness/program.js';
import { checkWritable, earlier, fromRoot, keep, machine } from './harness/results.js';

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
  fresh: flag,
};

await program(OPTIONS, async ({ out = fromRoot('bench/results'), points, threads, json, ...given }) => {
  const { layers, kkt, methods, trials = layers ? 5 : 3, epochs = kkt ? 5000 : layers ? 500 : 2000 } = given;
  const asked = given.tasks ?? (layers ? ['x2', 'uv'] : TASKS.map(({ name }) => name));
  const tasks = TASKS.filter(({ name }) => asked.includes(name));
  const settings: Settings = { points, epochs, threads };
  const fileOf = (name: string): string => join(out, `approximate-${name}.json`);
  if (kkt) {
    const svg = given.svg ?? fromRoot('docs/kkt.svg');
    for (const each of [fileOf('kkt'), svg]) await checkWritable(each);
    const results = await measureKkt(epochs, threads);
    await keep(fileOf('kkt'), { ...machine(threads), results });
    await draw(svg, kktSpecification(results));
    return { result: results, text: kktTable(results) };
  }
  if (layers) {
    await checkWritable(fileOf('layers'));
    const results = [];
    for (const task of tasks) {
      results.push(...(await measureLayers(task, trials, settings)));
      await keep(fileOf('layers'), { points, ...machine(threads), results });
    }
    return { result: results, text: layerTable(results) };
  }

  const svg = given.svg ?? fromRoot('docs/approximate.svg');
  for (const each of [svg, ...asked.map(fileOf)]) await checkWritable(each);
  for (const task of tasks) {
    const known = given.fresh ? undefined : await earlier<TaskResult>(fileOf(task.name));
    let result = known?.points === points && known.definition === task.definition ? known : begun(task, settings);
    for (const method of METHODS.filter((name) => methods.includes(name))) {
      for (let seed = 1; seed <= trials; seed += 1) {
        const done = result.methods.find((other) => other.method === method)?.trials ?? [];
        if (done.some((trial) => trial.seed === seed && trial.epochs === epochs)) continue;
        const trial = await runTrial(task, method, seed, settings);
        say(`${task.name} ${method} seed ${seed}: ${trial.error?.toExponential(2) ?? trial.status}`);
        result = withTrial(result, method, layersOf(task, method).join('-'), trial);
        await keep(fileOf(task.name), result);
      }
    }
    const summaries = result.methods.map((each) => summaryOf(task.name, each, task.published?.[each.method]));
    if (!json && task === tasks[0]) console.log(HEAD);
    for (const summary of summaries) console.log(json ? JSON.stringify(summary) : lineOf(summary));
  }
  const all = await Promise.all(TASKS.map(({ name }) => earlier<TaskResult>(fileOf(name))));
  await draw(svg, specificationOf(all.filter((result) => result !== undefined)));
  return undefined;
});

function begun({ name: task, definition, judged }: Task, { points, threads }: Settings): TaskResult {
  return { task, definition, judged, points, ...machine(threads), methods: [] };
}
